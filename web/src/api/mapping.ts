/** Wire shapes to the model, each in one place. */

import type { Job, JobDetail, NextRun } from '@/model/job'
import type { Repo, Revision } from '@/model/repo'
import type { ConditionStatus, LogEntry, OtherRun, Run, RunDetail } from '@/model/run'
import type { CatchUp, Pool } from '@/model/server'
import type { State } from '@/model/state'
import type {
  WireBlocking,
  WireCatchUp,
  WireCondition,
  WireJob,
  WireJobDetail,
  WireLogEntry,
  WireNextRun,
  WirePoolList,
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
    dueAt: Date.parse(wire.due ?? wire.schedule_time),
    times,
    attempt: wire.attempt,
    attempts: wire.attempts,
    breached: wire.breached,
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
    conditions: wire.conditions.map(conditionOf),
    actions: wire.actions,
    policies: policiesOf(wire),
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
    actions: wire.actions,
    policies: wire.policies,
    missed: wire.missed.map(({ schedule, count, first, last, reason }) => ({
      schedule,
      count,
      first: Date.parse(first),
      last: Date.parse(last),
      reason,
    })),
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

export function catchUpOf(wire: WireCatchUp): CatchUp {
  return {
    held: wire.held,
    jobs: wire.jobs,
    runs: wire.runs,
    pending: wire.pending.map(({ job_id, runs, more, oldest }) => ({ jobId: job_id, runs, more, oldest: Date.parse(oldest) })),
  }
}

export function poolsOf(wire: WirePoolList): Pool[] {
  return wire.pools.map((pool) => ({ ...pool, holders: pool.holders.map(otherRunOf) }))
}

function otherRunOf(wire: WireBlocking): OtherRun {
  return { id: wire.run_id, jobId: wire.job_id, args: wire.args, state: wire.state }
}

function conditionOf(wire: WireCondition): ConditionStatus {
  const { text, holds, reason, value } = wire
  return { text, holds, reason, value, blocking: wire.blocking.map(otherRunOf) }
}

/** What a run does not have is left out, as in a job file. */
function policiesOf({ limits, retry, pools, deadlines }: WireRunDetail): Record<string, unknown> {
  const said = Object.entries({ limits, retry, deadlines }).filter(([, value]) => Object.keys(value ?? {}).length > 0)
  return { ...Object.fromEntries(said), ...(pools.length > 0 ? { pools } : {}) }
}

function nextRunOf(wire: WireNextRun): NextRun {
  return {
    runId: wire.run_id,
    scheduleTime: Date.parse(wire.schedule_time),
    dueAt: Date.parse(wire.due ?? wire.schedule_time),
    args: wire.args,
    made: wire.made,
  }
}
