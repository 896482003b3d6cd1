/** Jobs as the dashboard knows them. */

import type { Args } from './run'

export interface Schedule {
  readonly text: string
  readonly enabled: boolean
}

export interface NextRun {
  readonly runId: string
  readonly scheduleTime: number
  readonly args: Args
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

export interface JobDetail extends Job {
  readonly program: Readonly<Record<string, unknown>>
  readonly conditions: readonly Readonly<Record<string, unknown>>[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly source: string
  readonly nextRuns: readonly NextRun[]
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
