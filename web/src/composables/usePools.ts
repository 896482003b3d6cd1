/** The pools, live: who starts or ends may take or free a slot. */

import { onScopeDispose, shallowRef, type Ref } from 'vue'
import { readPools } from '@/api/server'
import type { Pool } from '@/model/server'
import { useLivePage } from './useLive'

/** Runs come and go in bunches; the pools are read once for them. */
const GATHER_MS = 1_000

export function usePools(): Readonly<Ref<readonly Pool[]>> {
  const pools = shallowRef<readonly Pool[]>([])
  let timer: ReturnType<typeof setTimeout> | null = null

  const page = useLivePage({
    read: readPools,
    show(fresh) {
      pools.value = fresh.pools
    },
    change(change) {
      // Without pools only a commit can change anything.
      if (pools.value.length === 0 && change.name !== 'jobs') return
      timer ??= setTimeout(() => {
        timer = null
        void page.refresh()
      }, GATHER_MS)
    },
  })
  onScopeDispose(() => {
    if (timer !== null) clearTimeout(timer)
  })
  return pools
}
