/** All jobs, live: definitions by the `jobs` event, next runs by what happens to runs. */

import { onScopeDispose, shallowRef, triggerRef, type Ref } from 'vue'
import { readJob, readJobs } from '@/api/jobs'
import type { Change } from '@/api/joined'
import { RequestFailed } from '@/api/http'
import type { Job } from '@/model/job'
import { useLivePage, type LivePage } from './useLive'

export interface Jobs extends LivePage {
  jobs: Readonly<Ref<ReadonlyMap<string, Job>>>
}

/** Changes are gathered this long: a commit or a busy minute touches many jobs at once. */
const GATHER_MS = 700
/** More than so many single jobs cost more than the list. */
const FEW = 20

export function useJobs(): Jobs {
  const jobs = shallowRef(new Map<string, Job>())
  const stale = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | null = null

  async function renew(): Promise<void> {
    timer = null
    const ids = [...stale]
    stale.clear()
    if (ids.length > FEW) {
      await page.refresh()
      return
    }
    await Promise.all(ids.map(renewOne))
    triggerRef(jobs)
  }

  async function renewOne(id: string): Promise<void> {
    try {
      const { job } = await readJob(id)
      jobs.value.set(id, job)
    } catch (error) {
      // Gone, or the server is: then the stream brings everything anew.
      if (error instanceof RequestFailed && error.status === 404) jobs.value.delete(id)
    }
  }

  function renewSoon(ids: readonly string[]): void {
    for (const id of ids) stale.add(id)
    if (stale.size > 0) timer ??= setTimeout(() => void renew(), GATHER_MS)
  }

  const page = useLivePage({
    read: readJobs,
    show(all) {
      jobs.value = new Map(all.jobs.map((job) => [job.id, job]))
    },
    change(change) {
      if (change.name !== 'jobs') {
        renewSoon(touchedNextRuns(change, jobs.value))
        return
      }
      for (const id of change.data.removed) jobs.value.delete(id)
      renewSoon([...change.data.added, ...change.data.changed])
      triggerRef(jobs)
    },
  })
  onScopeDispose(() => {
    if (timer !== null) clearTimeout(timer)
  })
  return { ...page, jobs }
}

/** The jobs whose next run went, began, or was overtaken by an earlier one. */
export function touchedNextRuns(change: Change, jobs: ReadonlyMap<string, Job>): string[] {
  if (change.name === 'run-withdrawn') {
    const { job_id, run_id } = change.data
    return jobs.get(job_id)?.next?.runId === run_id ? [job_id] : []
  }
  if (change.name !== 'run') return []
  const { run } = change.data
  const job = jobs.get(run.job_id)
  if (job === undefined) return []
  if (job.next?.runId === run.run_id) return run.state === 'scheduled' ? [] : [job.id]
  const earlier = job.next === null || Date.parse(run.schedule_time) < job.next.scheduleTime
  return run.state === 'scheduled' && earlier ? [job.id] : []
}
