/** What the server holds since its start, for the banner; looked at again while it does. */

import { onScopeDispose, ref, shallowRef, type Ref } from 'vue'
import { readCatchUp, releaseHeld } from '@/api/server'
import { owedText, type CatchUp } from '@/model/server'
import { useLivePage } from './useLive'
import { toast, toastFailure } from './useToasts'

export interface HeldServer {
  catchUp: Readonly<Ref<CatchUp | null>>
  busy: Readonly<Ref<boolean>>
  release(): Promise<void>
}

/** While a server is held, what it owes grows with time, and somebody else may release it. */
const AGAIN_MS = 5_000

export function useCatchUp(): HeldServer {
  const catchUp = shallowRef<CatchUp | null>(null)
  const busy = ref(false)

  const page = useLivePage({
    read: readCatchUp,
    show(fresh) {
      catchUp.value = fresh.catchUp
    },
    change() {
      // No event tells of it; a server that starts anew resets the stream, and then this is read again.
    },
  })
  const timer = setInterval(() => {
    if (catchUp.value !== null && catchUp.value.held !== null) void page.refresh()
  }, AGAIN_MS)
  onScopeDispose(() => {
    clearInterval(timer)
  })

  async function release(): Promise<void> {
    if (catchUp.value === null) return
    busy.value = true
    const what = owedText(catchUp.value)
    try {
      catchUp.value = await releaseHeld()
      toast(`Released: ${what}`)
    } catch (error) {
      toastFailure('Not released', error)
    } finally {
      busy.value = false
    }
  }

  return { catchUp, busy, release }
}
