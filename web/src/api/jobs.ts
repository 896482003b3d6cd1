/** The resource `/jobs`. */

import type { Job, JobDetail } from '@/model/job'
import { getJson } from './http'
import { jobDetailOf, jobOf } from './mapping'
import type { WireJobDetail, WireJobPage } from './wire'

const PAGE = 1000

/** A bound on pages: a cursor that never ends must not ask for ever. */
const MAX_PAGES = 100

/** All jobs, page by page. The position is the first page's: what changed since then comes by the stream. */
export async function readJobs(): Promise<{ jobs: Job[]; asOf: string }> {
  const jobs: Job[] = []
  let asOf: string | null = null
  let cursor: string | null = null
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const query: Record<string, string> = { limit: String(PAGE) }
    if (cursor !== null) query['cursor'] = cursor
    const page: WireJobPage = await getJson<WireJobPage>('/jobs', query)
    jobs.push(...page.jobs.map(jobOf))
    asOf ??= page.as_of
    cursor = page.next
    if (cursor === null) break
  }
  return { jobs, asOf: asOf ?? '' }
}

/** Ids of jobs that begin so, for suggestions. */
export async function suggestJobs(prefix: string, limit: number): Promise<string[]> {
  const page = await getJson<WireJobPage>('/jobs', { prefix, limit: String(limit) })
  return page.jobs.map((job) => job.job_id)
}

export async function readJob(id: string): Promise<{ job: JobDetail; asOf: string }> {
  const wire = await getJson<WireJobDetail>(`/jobs/${id.split('/').map(encodeURIComponent).join('/')}`)
  return { job: jobDetailOf(wire), asOf: wire.as_of }
}
