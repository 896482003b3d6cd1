/** The server as a whole: what it holds and owes, and its pools. */

import type { OtherRun } from './run'

export interface Owed {
  readonly jobId: string
  readonly runs: number
  /** Not all were counted. */
  readonly more: boolean
  readonly oldest: number
}

export interface CatchUp {
  /** Why nothing that fell due starts until somebody releases it; null: it starts. */
  readonly held: string | null
  readonly jobs: number
  readonly runs: number
  /** Those that owe the most come first. */
  readonly pending: readonly Owed[]
}

export interface Pool {
  readonly name: string
  readonly size: number
  readonly taken: number
  readonly waiting: number
  readonly holders: readonly OtherRun[]
}

/** `497 runs of 12 jobs`; with a `+` where not all were counted. */
export function owedText({ runs, jobs, pending }: CatchUp): string {
  const more = pending.some((one) => one.more) ? '+' : ''
  return `${runs.toLocaleString('en')}${more} ${runs === 1 ? 'run' : 'runs'} of ${jobs.toLocaleString('en')} ${jobs === 1 ? 'job' : 'jobs'}`
}

/** `2 of 3 taken, 1 waiting`. */
export function poolText({ size, taken, waiting }: Pool): string {
  return `${taken} of ${size} taken${waiting > 0 ? `, ${waiting} waiting` : ''}`
}
