/** Runs and jobs with legal defaults, for tests. */

import type { Job } from './job'
import type { Run } from './run'

export function aRun(fields: Partial<Run> = {}): Run {
  return {
    id: 'r7kq2m1c',
    jobId: 'etl/load',
    args: {},
    state: 'scheduled',
    scheduleTime: 0,
    dueAt: fields.scheduleTime ?? 0,
    times: {},
    attempt: 1,
    attempts: null,
    breached: [],
    rerunOf: null,
    label: null,
    labels: [],
    expected: true,
    adhoc: false,
    repo: '',
    revision: 'a1b2c3d',
    path: 'etl/load.yaml',
    message: null,
    ...fields,
  }
}

export function aJob(id: string, fields: Partial<Job> = {}): Job {
  return {
    id,
    repo: '',
    revision: 'a1b2c3d',
    path: `${id}.yaml`,
    params: [],
    labels: [],
    description: null,
    programType: 'process',
    schedules: [],
    next: null,
    ...fields,
  }
}
