/** Jobs as the dashboard knows them. */

import type { Args } from './run'

export interface Schedule {
  readonly text: string
  readonly enabled: boolean
}

export interface NextRun {
  readonly runId: string
  readonly scheduleTime: number
  readonly dueAt: number
  readonly args: Args
  /** False: it lies beyond what is planned yet; there is no such run so far. */
  readonly made: boolean
}

export interface Job {
  readonly id: string
  readonly repo: string
  readonly revision: string
  readonly path: string
  readonly params: readonly string[]
  readonly labels: readonly string[]
  readonly description: string | null
  readonly programType: string
  readonly schedules: readonly Schedule[]
  readonly next: NextRun | null
}

/** Times of a schedule that passed while the server was down, and were not made up for. */
export interface Missed {
  readonly schedule: string
  readonly count: number
  readonly first: number
  readonly last: number
  readonly reason: string
}

export interface JobDetail extends Job {
  readonly program: Readonly<Record<string, unknown>>
  readonly conditions: readonly Readonly<Record<string, unknown>>[]
  readonly actions: readonly Readonly<Record<string, unknown>>[]
  readonly policies: Readonly<Record<string, unknown>>
  readonly missed: readonly Missed[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly source: string
  readonly nextRuns: readonly NextRun[]
}

/** The server counts missed times no further. */
const MOST_COUNTED = 1_000

/** `3 times`, `over 1,000 times`. */
export function timesText(count: number): string {
  if (count > MOST_COUNTED) return `over ${MOST_COUNTED.toLocaleString('en')} times`
  return count === 1 ? '1 time' : `${count.toLocaleString('en')} times`
}

/** The address of a job's page: an id may have any character that a file's name may. */
export function jobPath(id: string): string {
  return `/jobs/${id.split('/').map(encodeURIComponent).join('/')}`
}

/** The command that runs a job, as it would be typed. */
export function runCommand(id: string, params: readonly string[]): string {
  const word = /^[\w@%+=:,./-]+$/.test(id) ? id : `'${id.replaceAll("'", "'\\''")}'`
  return ['apsis', 'run', word, ...params.map((param) => `${param}=…`)].join(' ')
}
