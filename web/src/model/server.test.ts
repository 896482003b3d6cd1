import { expect, it } from 'vitest'
import { owedText, poolText } from './server'

const OWED = { jobId: 'etl/load', runs: 1000, more: false, oldest: 0 }

it('says how many runs of how many jobs are owed, and that not all were counted', () => {
  expect(owedText({ held: null, jobs: 1, runs: 1, pending: [{ ...OWED, runs: 1 }] })).toBe('1 run of 1 job')
  expect(owedText({ held: null, jobs: 2, runs: 1002, pending: [OWED] })).toBe('1,002 runs of 2 jobs')
  expect(owedText({ held: null, jobs: 2, runs: 1002, pending: [{ ...OWED, more: true }] })).toBe('1,002+ runs of 2 jobs')
})

it('says how full a pool is, and that somebody waits', () => {
  const pool = { name: 'db', size: 3, taken: 2, waiting: 0, holders: [] }
  expect(poolText(pool)).toBe('2 of 3 taken')
  expect(poolText({ ...pool, waiting: 4 })).toBe('2 of 3 taken, 4 waiting')
})
