/** The resource `/runs`. */

import type { RunFilter } from '@/model/filter'
import type { Operation, Run, RunDetail } from '@/model/run'
import type { RunPage } from '@/model/runwindow'
import type { State } from '@/model/state'
import { API, getEnd, getJson, postJson } from './http'
import { runDetailOf, runOf } from './mapping'
import type { WireRun, WireRunDetail, WireRunPage } from './wire'

export interface RunRange {
  since?: number
  until?: number
  cursor?: string
  order?: 'asc' | 'desc'
  limit: number
}

/** Read a page; one that is empty, because the server has looked at much and found nothing yet, is gone on from. */
export async function readRuns(filter: RunFilter, range: RunRange): Promise<RunPage & { asOf: string }> {
  let page = await readPage(filter, range)
  const asOf = page.asOf
  while (page.runs.length === 0 && page.next !== null) page = await readPage(filter, { ...range, cursor: page.next })
  return { ...page, asOf }
}

async function readPage(filter: RunFilter, range: RunRange): Promise<RunPage & { asOf: string }> {
  const query: Record<string, string> = { limit: String(range.limit) }
  if (filter.jobId !== null) query['job_id'] = filter.jobId
  if (filter.states.length > 0) query['state'] = filter.states.join(',')
  if (range.since !== undefined) query['since'] = new Date(range.since).toISOString()
  if (range.until !== undefined) query['until'] = new Date(range.until).toISOString()
  if (range.order === 'asc') query['order'] = 'asc'
  if (range.cursor !== undefined) query['cursor'] = range.cursor
  const page = await getJson<WireRunPage>('/runs', query)
  return { runs: page.runs.map(runOf), next: page.next, asOf: page.as_of }
}

export async function readRun(id: string): Promise<{ run: RunDetail; wire: WireRunDetail; asOf: string }> {
  const wire = await getJson<WireRunDetail>(`/runs/${encodeURIComponent(id)}`)
  return { run: runDetailOf(wire), wire, asOf: wire.as_of }
}

/** Where an attempt's output is; null: the newest's. */
export function outputUrl(id: string, attempt: number | null = null): string {
  const url = `${API}/runs/${encodeURIComponent(id)}/output`
  return attempt === null ? url : `${url}?attempt=${attempt}`
}

/** Read the end of an attempt's output, at most so many bytes, and how many there are before. */
export async function readOutput(id: string, attempt: number, most: number): Promise<{ bytes: Uint8Array; skipped: number }> {
  return getEnd(outputUrl(id, attempt), most)
}

export interface NewRun {
  jobId: string
  args: Readonly<Record<string, string>>
}

export async function createRun({ jobId, args }: NewRun): Promise<Run> {
  return runOf(await postJson<WireRun>('/runs', { job_id: jobId, args }))
}

/** Do what a person asked for, and answer the run as it is then; for a rerun, the new run. */
export async function operate(id: string, operation: Operation, reason: string, markAs: State): Promise<Run> {
  const body: Record<string, unknown> = reason === '' ? {} : { reason }
  if (operation === 'mark') body['state'] = markAs
  return runOf(await postJson<WireRun>(`/runs/${encodeURIComponent(id)}/${operation}`, body))
}
