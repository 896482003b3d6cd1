/** What the runs list shows, and how that stands in the address. */

import type { Run } from './run'
import { STATES, type State } from './state'

export interface RunFilter {
  readonly jobId: string | null
  readonly states: readonly State[]
}

export const EVERY_RUN: RunFilter = { jobId: null, states: [] }

type QueryValue = string | null | undefined | readonly (string | null)[]

/** Read a filter out of an address; what it cannot read it leaves out. */
export function parseFilter(query: Readonly<Record<string, QueryValue>>): RunFilter {
  const words = new Set(texts(query['state']).flatMap((text) => text.split(',')))
  const jobId = (texts(query['job_id'])[0] ?? '').trim()
  return { jobId: jobId === '' ? null : jobId, states: STATES.filter((state) => words.has(state)) }
}

/** The same filter as an address' query: defaults are left out, states stand in their own order. */
export function filterQuery(filter: RunFilter): Record<string, string> {
  const query: Record<string, string> = {}
  if (filter.jobId !== null) query['job_id'] = filter.jobId
  if (filter.states.length > 0) {
    query['state'] = STATES.filter((state) => filter.states.includes(state)).join(',')
  }
  return query
}

export function accepts(filter: RunFilter, run: Run): boolean {
  return (
    (filter.jobId === null || filter.jobId === run.jobId) &&
    (filter.states.length === 0 || filter.states.includes(run.state))
  )
}

export function toggleState(filter: RunFilter, state: State): RunFilter {
  const states = filter.states.includes(state)
    ? filter.states.filter((other) => other !== state)
    : [...filter.states, state]
  return { ...filter, states }
}

export function isEveryRun(filter: RunFilter): boolean {
  return filter.jobId === null && filter.states.length === 0
}

function texts(value: QueryValue): string[] {
  const values = value === null || value === undefined ? [] : typeof value === 'string' ? [value] : value
  return values.filter((text): text is string => text !== null)
}

