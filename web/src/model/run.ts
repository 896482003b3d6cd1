/** A run as the dashboard knows it; instants are milliseconds since the epoch. */

import { isActive, isFinal, type State } from './state'

export type Args = Readonly<Record<string, string>>

export type DeadlineKind = 'start_by' | 'finish_by' | 'longer_than'

export interface Run {
  readonly id: string
  readonly jobId: string
  readonly args: Args
  readonly state: State
  readonly scheduleTime: number
  /** When it is to start: its schedule time, or later by jitter or the pause before another attempt. */
  readonly dueAt: number
  readonly times: Readonly<Partial<Record<State, number>>>
  readonly attempt: number
  /** How many attempts there may be in all; known from the second on. */
  readonly attempts: number | null
  readonly breached: readonly DeadlineKind[]
  readonly rerunOf: string | null
  readonly label: string | null
  readonly labels: readonly string[]
  readonly expected: boolean
  readonly adhoc: boolean
  readonly repo: string
  readonly revision: string | null
  readonly path: string | null
  readonly message: string | null
}

/** A run in the way of others, or in a pool. */
export interface OtherRun {
  readonly id: string
  readonly jobId: string
  readonly args: Args
  readonly state: State
}

export interface ConditionStatus {
  readonly text: string
  readonly holds: boolean | null
  readonly reason: string | null
  /** What the world outside answered last. */
  readonly value: string | null
  readonly blocking: readonly OtherRun[]
}

export interface RunDetail extends Run {
  readonly program: Readonly<Record<string, unknown>> | null
  readonly conditions: readonly ConditionStatus[]
  readonly actions: readonly Readonly<Record<string, unknown>>[]
  /** Bound limits, retry, pools and deadlines by their names; those that there are. */
  readonly policies: Readonly<Record<string, unknown>>
  readonly meta: Readonly<Record<string, unknown>>
  readonly outputLength: number
  readonly operations: readonly Operation[]
}

export interface LogEntry {
  readonly seq: number
  readonly time: number
  readonly state: State
  readonly message: string
  readonly who: string | null
}

export const OPERATIONS = ['start', 'skip', 'stop', 'rerun', 'mark'] as const
export type Operation = (typeof OPERATIONS)[number]

/** What a waiting run waits for: its first condition that does not hold, and why; null when it does not wait. */
export function waitingFor(run: RunDetail): string | null {
  if (run.state !== 'waiting') return null
  const first = run.conditions.find(({ holds }) => holds === false) ?? run.conditions.find(({ holds }) => holds === null)
  if (first === undefined) return null
  return first.reason === null ? first.text : `${first.text}: ${first.reason}`
}

/** `attempt 2 of 4`; empty for the first. */
export function attemptText(run: Run): string {
  if (run.attempt === 1) return ''
  return run.attempts === null ? `attempt ${run.attempt}` : `attempt ${run.attempt} of ${run.attempts}`
}

/** Whether it has failed and pauses before its next attempt. */
export function isBetweenAttempts(run: Run): boolean {
  return run.attempt > 1 && run.state === 'scheduled'
}

/** The attempt whose output says most: the newest that has begun. */
export function attemptToShow(run: Run): number {
  return run.attempt > 1 && (run.state === 'scheduled' || run.state === 'waiting') ? run.attempt - 1 : run.attempt
}

const BREACHES: Record<DeadlineKind, string> = {
  start_by: 'not started in time',
  finish_by: 'not finished in time',
  longer_than: 'running longer than it should',
}

/** The deadlines that a run has missed, in words; empty if it has missed none. */
export function breachText(run: Run): string {
  return run.breached.map((kind) => BREACHES[kind]).join(', ')
}

export function startedAt(run: Run): number | null {
  return run.times.running ?? run.times.starting ?? null
}

export function endedAt(run: Run): number | null {
  return isFinal(run.state) ? (run.times[run.state] ?? null) : null
}

/** How long the program has run, or ran; null when it never started. */
export function elapsedMs(run: Run, now: number): number | null {
  const started = startedAt(run)
  if (started === null) return null
  const ended = endedAt(run)
  if (ended !== null) return Math.max(0, ended - started)
  return isActive(run.state) ? Math.max(0, now - started) : null
}

/** How much later than due the run started, or is by now if it has not. */
export function lateMs(run: Run, now: number): number {
  const started = startedAt(run)
  if (started !== null && !isBetweenAttempts(run)) return Math.max(0, started - run.dueAt)
  return isFinal(run.state) ? 0 : Math.max(0, now - run.dueAt)
}

export function shortId(id: string): string {
  return id.slice(0, 8)
}

export function argsText(args: Args): string {
  return Object.entries(args)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
