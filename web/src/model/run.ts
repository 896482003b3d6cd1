/** A run as the dashboard knows it; instants are milliseconds since the epoch. */

import { isActive, isFinal, type State } from './state'

export type Args = Readonly<Record<string, string>>

export interface Run {
  readonly id: string
  readonly jobId: string
  readonly args: Args
  readonly state: State
  readonly scheduleTime: number
  readonly times: Readonly<Partial<Record<State, number>>>
  readonly attempt: number
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

export interface ConditionStatus {
  readonly text: string
  readonly holds: boolean | null
}

export interface RunDetail extends Run {
  readonly program: Readonly<Record<string, unknown>> | null
  readonly conditions: readonly ConditionStatus[]
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

/** What a waiting run waits for: its first condition that does not hold; null when it does not wait. */
export function waitingFor(run: RunDetail): string | null {
  return run.state === 'waiting' ? (run.conditions.find(({ holds }) => holds !== true)?.text ?? null) : null
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

/** How much later than scheduled the run started, or is by now if it has not. */
export function lateMs(run: Run, now: number): number {
  const started = startedAt(run)
  if (started !== null) return Math.max(0, started - run.scheduleTime)
  return isFinal(run.state) ? 0 : Math.max(0, now - run.scheduleTime)
}

export function shortId(id: string): string {
  return id.slice(0, 8)
}

export function argsText(args: Args): string {
  return Object.entries(args)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
