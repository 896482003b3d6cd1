/** One run, live: its detail, log and output. */

import { onScopeDispose, ref, shallowRef, triggerRef, type Ref } from 'vue'
import { runOf } from '@/api/mapping'
import { readRun } from '@/api/runs'
import { RunStream } from '@/api/runstream'
import type { WireRunDetail } from '@/api/wire'
import { OutputText } from '@/model/output'
import type { LogEntry, Run, RunDetail } from '@/model/run'
import { useLivePage, type LivePage } from './useLive'

/** Of a longer output only so much of its end is loaded by itself. */
export const TAIL = 1024 * 1024
/** More than this no browser should hold; the rest is for downloading. */
export const MOST = 16 * TAIL

export interface LiveRun extends LivePage {
  run: Readonly<Ref<RunDetail | null>>
  /** As the server sent it, for the JSON tab. */
  wire: Readonly<Ref<WireRunDetail | null>>
  log: Readonly<Ref<readonly LogEntry[]>>
  /** Triggered with each piece. */
  output: Readonly<Ref<OutputText>>
  /** Bytes at the beginning that are not loaded. */
  skipped: Readonly<Ref<number>>
  /** Whether everything there is was received. */
  complete: Readonly<Ref<boolean>>
  loadAll(): void
}

export function useRun(id: string, fromTheBeginning: boolean): LiveRun {
  const run = shallowRef<RunDetail | null>(null)
  const wire = shallowRef<WireRunDetail | null>(null)
  const log = shallowRef<LogEntry[]>([])
  const output = shallowRef(new OutputText())
  const skipped = ref(0)
  const complete = ref(false)
  let stream: RunStream | null = null

  function openStream(offset: number): void {
    stream?.close()
    output.value = new OutputText()
    log.value = []
    skipped.value = offset
    complete.value = false
    stream = new RunStream(id, offset, {
      run: take,
      log(entry) {
        if (!log.value.some((known) => known.seq === entry.seq)) log.value = [...log.value, entry]
      },
      meta(meta) {
        if (run.value !== null) run.value = { ...run.value, meta }
      },
      output(bytes) {
        output.value.push(bytes)
        triggerRef(output)
      },
      restarted() {
        output.value.clear()
        skipped.value = 0
        triggerRef(output)
      },
      ended() {
        complete.value = true
      },
    })
  }

  /** What may be done, and the conditions, stand in the detail only: a change of state reads it again. */
  function take(changed: Run): void {
    const before = run.value
    if (before === null) return
    const moved = before.state !== changed.state || before.attempt !== changed.attempt
    run.value = { ...before, ...changed }
    if (moved) void page.refresh()
  }

  const page = useLivePage({
    read: () => readRun(id),
    show(fresh) {
      run.value = fresh.run
      wire.value = fresh.wire
      if (stream === null) openStream(firstOffset(fresh.run.outputLength, fromTheBeginning))
    },
    change(change) {
      if (change.name !== 'run' || change.data.run.run_id !== id) return
      const changed = runOf(change.data.run)
      // The stream of a finished run has ended; a mark or another attempt begins it anew.
      const reopen = complete.value && changed.state !== run.value?.state
      take(changed)
      if (reopen) openStream(skipped.value)
    },
  })
  onScopeDispose(() => stream?.close())

  return {
    ...page,
    run,
    wire,
    log,
    output,
    skipped,
    complete,
    loadAll() {
      openStream(Math.max(0, (run.value?.outputLength ?? 0) - MOST))
    },
  }
}

function firstOffset(length: number, fromTheBeginning: boolean): number {
  return Math.max(0, length - (fromTheBeginning ? MOST : TAIL))
}
