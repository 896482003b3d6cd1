/** The output of an attempt that is over; it changes no more. */

import { ref, shallowRef, triggerRef, watch, type Ref } from 'vue'
import { readOutput } from '@/api/runs'
import { OutputText } from '@/model/output'
import { MOST, TAIL } from './useRun'
import { toastFailure } from './useToasts'

export interface AttemptOutput {
  /** Triggered once it is there. */
  output: Readonly<Ref<OutputText>>
  /** Bytes at the beginning that are not loaded. */
  skipped: Readonly<Ref<number>>
  complete: Readonly<Ref<boolean>>
  loadAll(): void
}

/** `attempt` null: nothing is read. */
export function useAttemptOutput(id: string, attempt: Readonly<Ref<number | null>>): AttemptOutput {
  const output = shallowRef(new OutputText())
  const skipped = ref(0)
  const complete = ref(false)

  async function load(wanted: number, most: number): Promise<void> {
    output.value = new OutputText()
    skipped.value = 0
    complete.value = false
    try {
      const read = await readOutput(id, wanted, most)
      if (attempt.value !== wanted) return
      output.value.push(read.bytes, true)
      skipped.value = read.skipped
      complete.value = true
      triggerRef(output)
    } catch (error) {
      toastFailure(`No output of attempt ${wanted}`, error)
    }
  }

  watch(attempt, (wanted) => {
    if (wanted !== null) void load(wanted, TAIL)
  }, { immediate: true })

  return {
    output,
    skipped,
    complete,
    loadAll() {
      if (attempt.value !== null) void load(attempt.value, MOST)
    },
  }
}
