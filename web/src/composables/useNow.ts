/** The server's present, ticking once a second for everybody together. */

import { getCurrentScope, onScopeDispose, ref, type Ref } from 'vue'
import { useConnection } from './useLive'

const now = ref(Date.now())
let readers = 0
let timer: ReturnType<typeof setInterval> | null = null

export function useNow(): Readonly<Ref<number>> {
  const connection = useConnection()
  const tick = (): void => {
    now.value = Date.now() + connection.value.skewMs
  }
  if (getCurrentScope() === undefined) return now
  readers += 1
  if (timer === null) {
    tick()
    timer = setInterval(tick, 1000)
  }
  onScopeDispose(() => {
    readers -= 1
    if (readers > 0 || timer === null) return
    clearInterval(timer)
    timer = null
  })
  return now
}
