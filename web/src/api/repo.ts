/** The resource `/repo`. */

import type { Repo, Revision } from '@/model/repo'
import { getJson, postJson } from './http'
import { repoOf, revisionOf } from './mapping'
import type { WireRepoPage } from './wire'

export interface RepoPage {
  readonly repos: readonly Repo[]
  readonly revisions: ReadonlyMap<string, readonly Revision[]>
  readonly asOf: string
}

export async function readRepos(): Promise<RepoPage> {
  return pageOf(await getJson<WireRepoPage>('/repo'))
}

/** Have the server fetch now; answers when the newest revision was applied or rejected. */
export async function syncNow(): Promise<RepoPage> {
  return pageOf(await postJson<WireRepoPage>('/repo/sync', {}))
}

function pageOf(wire: WireRepoPage): RepoPage {
  const revisions = Object.entries(wire.revisions).map(
    ([prefix, list]) => [prefix, list.map(revisionOf)] as const,
  )
  return { repos: wire.repos.map(repoOf), revisions: new Map(revisions), asOf: wire.as_of }
}
