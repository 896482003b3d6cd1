/** Wire shapes to the model, each in one place. */

import type { Job, JobDetail, NextRun } from '@/model/job'
import type { Repo, Revision } from '@/model/repo'
import type { LogEntry, Run, RunDetail } from '@/model/run'
import type { State } from '@/model/state'
import type {
  WireJob,
  WireJobDetail,
  WireLogEntry,
  WireNextRun,
  WireRepo,
  WireRevision,
  WireRun,
  WireRunDetail,
} from './wire'

export function runOf(wire: WireRun): Run {
  const times: Partial<Record<State, number>> = {}
  for (const [state, time] of Object.entries(wire.timestamps)) times[state as State] = Date.parse(time)
  return {
    id: wire.run_id,
    jobId: wire.job_id,
    args: wire.args,
    state: wire.state,
    scheduleTime: Date.parse(wire.schedule_time),
    times,
    attempt: wire.attempt,
    rerunOf: wire.rerun_of,
    label: wire.label,
    labels: wire.labels,
    expected: wire.expected,
    adhoc: wire.adhoc,
    repo: wire.repo,
    revision: wire.revision,
    path: wire.path,
    message: wire.message,
  }
}

export function runDetailOf(wire: WireRunDetail): RunDetail {
  return {
    ...runOf(wire),
    program: wire.program,
    conditions: wire.conditions.map(({ text, holds }) => ({ text, holds })),
    meta: wire.meta,
    outputLength: wire.output_length,
    operations: wire.operations,
  }
}

export function logEntryOf(wire: WireLogEntry): LogEntry {
  return { ...wire, time: Date.parse(wire.time) }
}

export function jobOf(wire: WireJob): Job {
  return {
    id: wire.job_id,
    repo: wire.repo,
    revision: wire.revision,
    path: wire.path,
    params: wire.params,
    labels: wire.labels,
    description: wire.description,
    programType: wire.program_type,
    schedules: wire.schedules.map(({ text, enabled }) => ({ text, enabled })),
    next: wire.next_run === null ? null : nextRunOf(wire.next_run),
  }
}

export function jobDetailOf(wire: WireJobDetail): JobDetail {
  return {
    ...jobOf(wire),
    program: wire.program,
    conditions: wire.conditions,
    metadata: wire.metadata,
    source: wire.source,
    nextRuns: wire.next_runs.map(nextRunOf),
  }
}

export function revisionOf(wire: WireRevision): Revision {
  return {
    id: wire.revision,
    author: wire.author,
    time: Date.parse(wire.time),
    message: wire.message,
    verdict: wire.verdict,
    decidedAt: Date.parse(wire.decided_at),
    added: wire.added,
    changed: wire.changed,
    removed: wire.removed,
    findings: wire.findings,
  }
}

export function repoOf(wire: WireRepo): Repo {
  return {
    prefix: wire.repo,
    source: wire.source,
    mode: wire.mode,
    branch: wire.branch,
    status: wire.status,
    applied: wire.applied === null ? null : revisionOf(wire.applied),
    newest: wire.newest === null ? null : revisionOf(wire.newest),
    error: wire.error,
    fetchedAt: wire.fetched_at === null ? null : Date.parse(wire.fetched_at),
    jobs: wire.jobs,
  }
}

function nextRunOf(wire: WireNextRun): NextRun {
  return { runId: wire.run_id, scheduleTime: Date.parse(wire.schedule_time), args: wire.args }
}
