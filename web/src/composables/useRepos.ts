/** The job repositories, live; one copy for the bar and the commits page. */

import { effectScope, ref, shallowRef, type Ref } from 'vue'
import { repoOf } from '@/api/mapping'
import { readRepos, syncNow, type RepoPage } from '@/api/repo'
import { withRepo, type Repo, type Revision } from '@/model/repo'
import { useLivePage, type LivePage } from './useLive'
import { toast, toastFailure } from './useToasts'

export interface Repos extends LivePage {
  repos: Readonly<Ref<readonly Repo[]>>
  revisions: Readonly<Ref<ReadonlyMap<string, readonly Revision[]>>>
  syncing: Readonly<Ref<boolean>>
  sync(): Promise<void>
}

let shared: Repos | null = null

export function useRepos(): Repos {
  shared ??= effectScope(true).run(open) ?? null
  if (shared === null) throw new Error('the scope of the repositories has ended')
  return shared
}

function open(): Repos {
  const repos = shallowRef<readonly Repo[]>([])
  const revisions = shallowRef<ReadonlyMap<string, readonly Revision[]>>(new Map())
  const syncing = ref(false)

  function show(page: RepoPage): void {
    repos.value = page.repos
    revisions.value = page.revisions
  }

  const page = useLivePage<RepoPage>({
    read: readRepos,
    show,
    change(change) {
      if (change.name === 'sync') repos.value = withRepo(repos.value, repoOf(change.data.repo))
      // The history of revisions is no part of the event.
      if (change.name === 'sync' || change.name === 'jobs') void page.refresh()
    },
  })

  async function sync(): Promise<void> {
    syncing.value = true
    try {
      const answer = await syncNow()
      show(answer)
      const rejected = answer.repos.filter((repo) => repo.status === 'rejected').length
      toast(rejected > 0 ? 'Fetched: the newest is rejected' : 'Fetched: everything is applied')
    } catch (error) {
      toastFailure('Not synced', error)
    } finally {
      syncing.value = false
    }
  }

  return { ...page, repos, revisions, syncing, sync }
}
