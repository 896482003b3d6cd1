import { expect, it } from 'vitest'
import { jobPath, runCommand, timesText } from './job'

it('addresses a job whatever its name', () => {
  expect(jobPath('etl/load')).toBe('/jobs/etl/load')
  expect(jobPath('a dir/x#1?y%20ü')).toBe('/jobs/a%20dir/x%231%3Fy%2520%C3%BC')
})

it('says how many times were missed, as far as they were counted', () => {
  expect([1, 1000, 1001].map(timesText)).toEqual(['1 time', '1,000 times', 'over 1,000 times'])
})

it('quotes a job for the shell where that is needed', () => {
  expect(runCommand('etl/load', ['date'])).toBe('apsis run etl/load date=…')
  expect(runCommand("a b's", [])).toBe("apsis run 'a b'\\''s'")
})
