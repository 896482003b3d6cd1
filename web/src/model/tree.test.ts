import { describe, expect, it } from 'vitest'
import { aJob } from './run.factory'
import { foldersAbove, treeRows, type TreeRow } from './tree'

const next = (scheduleTime: number) => ({ runId: 'r', scheduleTime, dueAt: scheduleTime, args: {}, made: true })
const JOBS = [
  aJob('heartbeat'),
  aJob('etl/load', { next: next(50), labels: ['nightly'] }),
  aJob('etl/report/daily', { next: next(20) }),
  aJob('ops/clean'),
]

function text(row: TreeRow): string {
  return '  '.repeat(row.depth) + row.name + (row.kind === 'folder' ? '/' : '')
}

describe('the tree of jobs', () => {
  it('puts folders before jobs, both by name', () => {
    expect(treeRows(JOBS, new Set(), '').map(text)).toEqual([
      'etl/',
      '  report/',
      '    daily',
      '  load',
      'ops/',
      '  clean',
      'heartbeat',
    ])
  })

  it('hides what is in a folded folder, but counts it and knows its next run', () => {
    const rows = treeRows(JOBS, new Set(['etl']), '')
    expect(rows.map(text)).toEqual(['etl/', 'ops/', '  clean', 'heartbeat'])
    expect(rows[0]).toMatchObject({ open: false, jobs: 2, nextAt: 20 })
  })

  it('opens folded folders that hold what is searched for, in ids and labels', () => {
    expect(treeRows(JOBS, new Set(['etl']), 'NIGHT').map(text)).toEqual(['etl/', '  load'])
    expect(treeRows(JOBS, new Set(), 'etl dai').map(text)).toEqual(['etl/', '  report/', '    daily'])
    expect(treeRows(JOBS, new Set(), 'nothing')).toEqual([])
  })

  it('names the folders above a job', () => {
    expect(foldersAbove('a/b/c')).toEqual(['a', 'a/b'])
    expect(foldersAbove('a')).toEqual([])
  })
})
