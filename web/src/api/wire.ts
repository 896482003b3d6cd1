/** The shapes of `apsis/wire/`, as they come over HTTP and the event stream. */

import type { State } from '@/model/state'
import type { DeadlineKind, Operation } from '@/model/run'
import type { RepoStatus, Verdict } from '@/model/repo'

export interface WireRun {
  run_id: string
  job_id: string
  args: Record<string, string>
  state: State
  schedule_time: string
  due: string | null
  timestamps: Partial<Record<State, string>>
  attempt: number
  attempts: number | null
  breached: DeadlineKind[]
  rerun_of: string | null
  label: string | null
  labels: string[]
  expected: boolean
  adhoc: boolean
  repo: string
  revision: string | null
  path: string | null
  blob: string | null
  message: string | null
}

export interface WireBlocking {
  run_id: string
  job_id: string
  args: Record<string, string>
  state: State
}

export interface WireCondition {
  condition: Record<string, unknown> | null
  text: string
  holds: boolean | null
  reason: string | null
  value: string | null
  blocking: WireBlocking[]
}

type Fields = Record<string, unknown>

export interface WireRunDetail extends WireRun {
  program: Record<string, unknown> | null
  conditions: WireCondition[]
  actions: Fields[]
  limits: Fields | null
  retry: Fields | null
  pools: Fields[]
  deadlines: Fields | null
  meta: Record<string, unknown>
  output_length: number
  operations: Operation[]
  as_of: string
}

export interface WireRunPage {
  runs: WireRun[]
  next: string | null
  as_of: string
}

export interface WireLogEntry {
  seq: number
  time: string
  state: State
  message: string
  who: string | null
}

export interface WireNextRun {
  run_id: string
  schedule_time: string
  due: string | null
  args: Record<string, string>
  made: boolean
}

export interface WireJob {
  job_id: string
  repo: string
  revision: string
  path: string
  blob: string
  params: string[]
  labels: string[]
  description: string | null
  program_type: string
  schedules: { text: string; definition: Record<string, unknown>; enabled: boolean }[]
  next_run: WireNextRun | null
}

export interface WireJobDetail extends WireJob {
  program: Record<string, unknown>
  conditions: Fields[]
  actions: Fields[]
  policies: Fields
  missed: { schedule: string; count: number; first: string; last: string; reason: string; at: string }[]
  metadata: Record<string, unknown>
  source: string
  next_runs: WireNextRun[]
  as_of: string
}

export interface WireJobPage {
  jobs: WireJob[]
  next: string | null
  as_of: string
}

export interface WireFinding {
  code: string
  severity: 'error' | 'warning'
  path: string
  line: number | null
  column: number | null
  message: string
  help: string | null
  source: string | null
}

export interface WireRevision {
  revision: string
  author: string | null
  time: string
  message: string
  verdict: Verdict
  decided_at: string
  added: number
  changed: number
  removed: number
  findings: WireFinding[]
}

export interface WireRepo {
  repo: string
  source: string
  mode: 'git' | 'directory'
  branch: string | null
  status: RepoStatus
  applied: WireRevision | null
  newest: WireRevision | null
  error: string | null
  fetched_at: string | null
  jobs: number
}

export interface WireRepoPage {
  repos: WireRepo[]
  revisions: Record<string, WireRevision[]>
  as_of: string
}

export interface WireCatchUp {
  held: string | null
  jobs: number
  runs: number
  pending: { job_id: string; runs: number; more: boolean; oldest: string }[]
  as_of: string
}

export interface WirePoolList {
  pools: { name: string; size: number; taken: number; waiting: number; holders: WireBlocking[] }[]
  as_of: string
}

export interface WireProblem {
  type: string
  title: string
  status: number
  detail: string
  code: string
  help: string | null
}

/** The events of the summary stream by name. */
export interface WireEvents {
  hello: { version: string; server_start: string; as_of: string }
  run: { run: WireRun }
  'run-withdrawn': { run_id: string; job_id: string }
  jobs: { repo: string; revision: string; added: string[]; changed: string[]; removed: string[] }
  sync: { repo: WireRepo }
  ping: { time: string }
  reset: { as_of: string }
  bye: Record<string, never>
}

/** The events of one run's stream by name, beside hello, ping, reset and bye. */
export interface WireRunEvents {
  run: { run: WireRun }
  log: { entry: WireLogEntry }
  meta: { meta: Record<string, unknown> }
  output: { attempt: number; offset: number; data: string }
}
