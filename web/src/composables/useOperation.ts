/** An operation a person is about to do, from the question to the report. */

import { ref, shallowRef, type Ref } from 'vue'
import { operate } from '@/api/runs'
import { shortId, type Operation, type Run } from '@/model/run'
import type { State } from '@/model/state'
import { toast, toastFailure } from './useToasts'

export interface OperationWords {
  button: string
  question: string
  done: string
  explain: string
}

export const OPERATION_WORDS: Record<Operation, OperationWords> = {
  start: { button: 'Start', question: 'Start now?', done: 'Started', explain: 'A scheduled run still waits for its conditions; a waiting one does not.' },
  skip: { button: 'Skip', question: 'Skip this run?', done: 'Skipped', explain: 'It will not run; the next scheduled one is not touched.' },
  stop: { button: 'Stop', question: 'Stop this run?', done: 'Stopping', explain: 'Its program is asked to end, as the job says.' },
  rerun: { button: 'Rerun', question: 'Run it again?', done: 'Rerun', explain: 'A new run of the same job and args starts now.' },
  mark: { button: 'Mark…', question: 'Give it another final state?', done: 'Marked', explain: 'Only the record changes; nothing is run.' },
}

export interface OperationDialog {
  asked: Readonly<Ref<Operation | null>>
  busy: Readonly<Ref<boolean>>
  ask(operation: Operation): void
  cancel(): void
  confirm(reason: string, markAs: State): Promise<void>
}

export function useOperation(run: Readonly<Ref<Run | null>>): OperationDialog {
  const asked = shallowRef<Operation | null>(null)
  const busy = ref(false)

  async function confirm(reason: string, markAs: State): Promise<void> {
    const operation = asked.value
    const target = run.value
    if (operation === null || target === null) return
    busy.value = true
    try {
      const result = await operate(target.id, operation, reason, markAs)
      const name = `${target.jobId} (${shortId(target.id)})`
      const link = result.id === target.id ? null : { to: `/runs/${result.id}`, text: `Open the new run ${shortId(result.id)}` }
      toast(`${OPERATION_WORDS[operation].done}: ${name}`, link)
    } catch (error) {
      toastFailure(`Not done: ${operation}`, error)
    } finally {
      busy.value = false
      asked.value = null
    }
  }

  return {
    asked,
    busy,
    ask(operation) {
      asked.value = operation
    },
    cancel() {
      asked.value = null
    },
    confirm,
  }
}
