import { expect, it } from 'vitest'
import type { Change } from '@/api/joined'
import type { WireRun } from '@/api/wire'
import { aJob } from '@/model/run.factory'
import { touchedNextRuns } from './useJobs'

const JOBS = new Map([['etl/load', aJob('etl/load', { next: { runId: 'next', scheduleTime: Date.UTC(2026, 10, 24, 12), dueAt: Date.UTC(2026, 10, 24, 12), args: {}, made: true } })]])

function changed(fields: Partial<WireRun>): Change {
  const run = { run_id: 'next', job_id: 'etl/load', state: 'scheduled', schedule_time: '2026-11-24T12:00:00.000Z', ...fields } as WireRun
  return { kind: 'change', name: 'run', position: 's.1', data: { run } }
}

it('asks for a job anew when its next run begins or is withdrawn', () => {
  expect(touchedNextRuns(changed({ state: 'waiting' }), JOBS)).toEqual(['etl/load'])
  const withdrawn: Change = { kind: 'change', name: 'run-withdrawn', position: 's.1', data: { run_id: 'next', job_id: 'etl/load' } }
  expect(touchedNextRuns(withdrawn, JOBS)).toEqual(['etl/load'])
})

it('asks when an earlier run appears, and not for a later one', () => {
  expect(touchedNextRuns(changed({ run_id: 'other', schedule_time: '2026-11-24T11:00:00.000Z' }), JOBS)).toEqual(['etl/load'])
  expect(touchedNextRuns(changed({ run_id: 'other', schedule_time: '2026-11-24T13:00:00.000Z' }), JOBS)).toEqual([])
})

it('asks nothing for runs in the midst of their life', () => {
  expect(touchedNextRuns(changed({ run_id: 'other', state: 'running' }), JOBS)).toEqual([])
})
