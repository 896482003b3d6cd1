/**
 * A gapless stretch of the server's list of runs, newest schedule time first.
 *
 * Pages are joined at both ends, changes from the stream are laid over it, and it never grows beyond its
 * limit: what is loaded at one end makes the other end let go.
 */

import { accepts, type RunFilter } from './filter'
import type { Run } from './run'

export interface RunPage {
  readonly runs: readonly Run[]
  /** The cursor of the page after, null at the end of the list. */
  readonly next: string | null
}

/** How an end of the stretch goes on: by cursor, from the outermost run's time, or not at all. */
export type End = { readonly kind: 'cursor'; readonly cursor: string } | { readonly kind: 'time' } | { readonly kind: 'end' }

export type Side = 'newer' | 'older'

export interface RunWindow {
  readonly filter: RunFilter
  readonly runs: readonly Run[]
  readonly newer: End
  readonly older: End
}

/** Enough for many screens of scrolling back without asking again; some 5 MB of runs. */
export const MAX_RUNS = 5000

export function emptyWindow(filter: RunFilter): RunWindow {
  return { filter, runs: [], newer: { kind: 'end' }, older: { kind: 'end' } }
}

/** Add a page at one end, and let go of as many runs at the other as are too many. */
export function joinPage(window: RunWindow, side: Side, page: RunPage, limit = MAX_RUNS): RunWindow {
  const fresh = new Map(page.runs.map((run) => [run.id, run]))
  const kept = window.runs.filter((run) => !fresh.has(run.id))
  const runs = [...kept, ...fresh.values()].sort(newestFirst)
  const end: End = page.next === null ? { kind: 'end' } : { kind: 'cursor', cursor: page.next }
  const joined = { ...window, runs, [side]: end }
  if (runs.length <= limit) return joined
  return side === 'older'
    ? { ...joined, runs: runs.slice(-limit), newer: { kind: 'time' } }
    : { ...joined, runs: runs.slice(0, limit), older: { kind: 'time' } }
}

/** Lay a new or changed run over the stretch; one that lies outside comes with its page later. */
export function withRun(window: RunWindow, run: Run): RunWindow {
  const index = window.runs.findIndex((other) => other.id === run.id)
  const before = window.runs[index]
  if (!accepts(window.filter, run)) return before === undefined ? window : withoutRun(window, run.id)
  if (before !== undefined && before.scheduleTime === run.scheduleTime) {
    return { ...window, runs: window.runs.with(index, run) }
  }
  const others = before === undefined ? window.runs : window.runs.filter((other) => other.id !== run.id)
  if (!lies(window, others, run)) return { ...window, runs: others }
  const at = others.findIndex((other) => newestFirst(run, other) < 0)
  return { ...window, runs: others.toSpliced(at === -1 ? others.length : at, 0, run) }
}

export function withoutRun(window: RunWindow, id: string): RunWindow {
  const runs = window.runs.filter((run) => run.id !== id)
  return runs.length === window.runs.length ? window : { ...window, runs }
}

/** How many runs, from the top, are still to come: the now-line stands below them. */
export function comingCount(runs: readonly Run[], now: number): number {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >> 1
    const run = runs[middle]
    if (run !== undefined && run.scheduleTime > now) low = middle + 1
    else high = middle
  }
  return low
}

export function newestFirst(a: Run, b: Run): number {
  if (a.scheduleTime !== b.scheduleTime) return b.scheduleTime - a.scheduleTime
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0
}

function lies(window: RunWindow, runs: readonly Run[], run: Run): boolean {
  const top = runs[0]
  const bottom = runs.at(-1)
  const belowTop = window.newer.kind === 'end' || (top !== undefined && newestFirst(top, run) < 0)
  const aboveBottom = window.older.kind === 'end' || (bottom !== undefined && newestFirst(run, bottom) < 0)
  return belowTop && aboveBottom
}
