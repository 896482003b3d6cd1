/** One job, live. */

import { onScopeDispose, shallowRef, type Ref } from 'vue'
import { readJob } from '@/api/jobs'
import type { JobDetail } from '@/model/job'
import { useLivePage, type LivePage } from './useLive'

export interface LiveJob extends LivePage {
  job: Readonly<Ref<JobDetail | null>>
}

const GATHER_MS = 500

export function useJob(id: string): LiveJob {
  const job = shallowRef<JobDetail | null>(null)
  let timer: ReturnType<typeof setTimeout> | null = null

  const page = useLivePage({
    read: () => readJob(id),
    show(fresh) {
      job.value = fresh.job
    },
    change(change) {
      const mine =
        change.name === 'jobs'
          ? [change.data.added, change.data.changed, change.data.removed].some((ids) => ids.includes(id))
          : (change.name === 'run' && change.data.run.job_id === id) ||
            (change.name === 'run-withdrawn' && change.data.job_id === id)
      if (!mine) return
      timer ??= setTimeout(() => {
        timer = null
        void page.refresh()
      }, GATHER_MS)
    },
  })
  onScopeDispose(() => {
    if (timer !== null) clearTimeout(timer)
  })
  return { ...page, job }
}
