/** The tab's live feed in components: connection, and pages joined with it. */

import { onScopeDispose, readonly, ref, shallowRef, type Ref } from 'vue'
import { RequestFailed } from '@/api/http'
import { Joined, type Change } from '@/api/joined'
import { live } from '@/api/live'
import type { Connection } from '@/model/connection'

export type Loading = 'loading' | 'ready' | 'failed'

export interface LivePage {
  state: Readonly<Ref<Loading>>
  failure: Readonly<Ref<RequestFailed | null>>
  refresh(): Promise<void>
  /** Stop hearing; done by itself with the scope it was made in. */
  close(): void
}

export interface LivePageSource<P extends { asOf: string }> {
  read(): Promise<P>
  show(page: P): void
  change(change: Change): void
}

/** Read a page and keep it current until the scope ends. */
export function useLivePage<P extends { asOf: string }>(source: LivePageSource<P>): LivePage {
  const state = ref<Loading>('loading')
  const failure = shallowRef<RequestFailed | null>(null)
  const joined = new Joined<P>(live(), {
    read: () => source.read(),
    show(page) {
      state.value = 'ready'
      failure.value = null
      source.show(page)
    },
    change(change) {
      source.change(change)
    },
    failed(error) {
      failure.value = failureOf(error)
      // What is on the screen stays, dimmed by the connection; only an empty page becomes an error.
      if (state.value === 'loading' || failure.value.status === 404) state.value = 'failed'
    },
  })
  const close = (): void => {
    joined.close()
  }
  onScopeDispose(close)
  return {
    state: readonly(state),
    failure,
    close,
    refresh() {
      if (state.value === 'failed') state.value = 'loading'
      return joined.refresh()
    },
  }
}

export function failureOf(error: unknown): RequestFailed {
  if (error instanceof RequestFailed) return error
  return new RequestFailed(error instanceof Error ? error.message : String(error), 'unexpected', 0)
}

const connection = shallowRef<Connection>({ state: 'connecting', lastEventAt: null, skewMs: 0 })
let watching = false

export function useConnection(): Readonly<Ref<Connection>> {
  if (!watching) {
    watching = true
    live().subscribe((message) => {
      if (message.kind === 'connection') connection.value = message.connection
    })
  }
  return connection
}
