/** A live list of runs around now, growing by pages at both ends. */

import { computed, ref, shallowRef, type Ref } from 'vue'
import { readRuns, type RunRange } from '@/api/runs'
import { runOf } from '@/api/mapping'
import type { RunFilter } from '@/model/filter'
import type { Run } from '@/model/run'
import { covers } from '@/model/position'
import { emptyWindow, joinPage, withoutRun, withRun, type RunPage, type RunWindow, type Side } from '@/model/runwindow'
import { failureOf, useLivePage, type LivePage } from './useLive'
import { toastFailure } from './useToasts'
import { useNow } from './useNow'

const PAST = 100
/** Coming runs to begin with: what one screen can show above the now-line. */
const COMING = 50
const PAGE = 200

export interface Runs extends LivePage {
  runs: Readonly<Ref<readonly Run[]>>
  /** Whether more can be loaded at an end. */
  more: Readonly<Ref<Record<Side, boolean>>>
  loadMore(side: Side): Promise<void>
}

interface Around {
  window: RunWindow
  asOf: string
}

export function useRuns(filter: RunFilter): Runs {
  const now = useNow()
  const window = shallowRef(emptyWindow(filter))
  const busy = ref<Record<Side, boolean>>({ newer: false, older: false })
  // A page asked for before everything was read anew belongs to another window.
  let generation = 0

  async function read(): Promise<Around> {
    const at = now.value
    const [past, coming] = await Promise.all([
      readRuns(filter, { until: at, limit: PAST }),
      readRuns(filter, { since: at, order: 'asc', limit: COMING }),
    ])
    let around = joinPage(emptyWindow(filter), 'older', past)
    around = joinPage(around, 'newer', coming)
    // The earlier position of the two: a change that one page holds already is laid over it once more.
    return { window: around, asOf: covers(past.asOf, coming.asOf) ? coming.asOf : past.asOf }
  }

  const page = useLivePage<Around>({
    read,
    show(around) {
      generation += 1
      window.value = around.window
    },
    change(change) {
      if (change.name === 'run') window.value = withRun(window.value, runOf(change.data.run))
      if (change.name === 'run-withdrawn') window.value = withoutRun(window.value, change.data.run_id)
    },
  })

  async function loadMore(side: Side): Promise<void> {
    if (page.state.value !== 'ready' || busy.value[side] || window.value[side].kind === 'end') return
    busy.value = { ...busy.value, [side]: true }
    const mine = generation
    try {
      const next = await readBeyond(window.value, side)
      if (mine === generation) window.value = joinPage(window.value, side, next)
    } catch (error) {
      toastFailure('No more runs could be read', failureOf(error))
    } finally {
      busy.value = { ...busy.value, [side]: false }
    }
  }

  return {
    ...page,
    runs: computed(() => window.value.runs),
    more: computed(() => ({ newer: window.value.newer.kind !== 'end', older: window.value.older.kind !== 'end' })),
    loadMore,
  }
}

async function readBeyond(window: RunWindow, side: Side): Promise<RunPage> {
  const end = window[side]
  const range: RunRange = { limit: PAGE, order: side === 'newer' ? 'asc' : 'desc' }
  if (end.kind === 'cursor') return readRuns(window.filter, { ...range, cursor: end.cursor })
  const outermost = side === 'newer' ? window.runs[0] : window.runs.at(-1)
  if (outermost === undefined) return { runs: [], next: null }
  // The outermost run's own instant once more: others may share it.
  return side === 'newer'
    ? readRuns(window.filter, { ...range, since: outermost.scheduleTime })
    : readRuns(window.filter, { ...range, until: outermost.scheduleTime + 1 })
}
