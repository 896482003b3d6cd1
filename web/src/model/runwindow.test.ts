import { describe, expect, it } from 'vitest'
import { EVERY_RUN, parseFilter } from './filter'
import type { Run } from './run'
import { aRun } from './run.factory'
import { comingCount, emptyWindow, joinPage, withoutRun, withRun, type RunWindow } from './runwindow'

function at(...times: number[]): Run[] {
  return times.map((time) => aRun({ id: `r${time}`, scheduleTime: time }))
}

function ids(window: RunWindow): string {
  return window.runs.map((run) => run.id).join(' ')
}

function windowOf(times: number[], ends: { newer?: string; older?: string } = {}): RunWindow {
  const older = joinPage(emptyWindow(EVERY_RUN), 'older', { runs: at(...times), next: ends.older ?? null })
  return joinPage(older, 'newer', { runs: [], next: ends.newer ?? null })
}

describe('pages', () => {
  it('are joined newest first, whichever way they were read', () => {
    const window = joinPage(windowOf([30, 20]), 'newer', { runs: at(40, 50), next: 'c' })
    expect(ids(window)).toBe('r50 r40 r30 r20')
    expect(window.newer).toEqual({ kind: 'cursor', cursor: 'c' })
  })

  it('bring a run that is there already once only, in its newest shape', () => {
    const window = joinPage(windowOf([30, 20]), 'older', { runs: [aRun({ id: 'r20', scheduleTime: 20, state: 'success' })], next: null })
    expect(ids(window)).toBe('r30 r20')
    expect(window.runs[1]?.state).toBe('success')
  })

  it('make the other end let go when there are too many', () => {
    const window = joinPage(windowOf([50, 40, 30]), 'older', { runs: at(20, 10), next: 'c' }, 3)
    expect(ids(window)).toBe('r30 r20 r10')
    expect(window.newer).toEqual({ kind: 'time' })
    const back = joinPage(window, 'newer', { runs: at(40), next: null }, 3)
    expect(ids(back)).toBe('r40 r30 r20')
    expect(back.older).toEqual({ kind: 'time' })
  })
})

describe('changes', () => {
  it('replace a run in its place', () => {
    const window = withRun(windowOf([30, 20]), aRun({ id: 'r30', scheduleTime: 30, state: 'running' }))
    expect(window.runs.map((run) => run.state)).toEqual(['running', 'scheduled'])
  })

  it('insert a new run by its schedule time', () => {
    expect(ids(withRun(windowOf([30, 10]), aRun({ id: 'new', scheduleTime: 20 })))).toBe('r30 new r10')
    expect(ids(withRun(windowOf([30, 10]), aRun({ id: 'new', scheduleTime: 40 })))).toBe('new r30 r10')
    expect(ids(withRun(windowOf([30, 10]), aRun({ id: 'new', scheduleTime: 5 })))).toBe('r30 r10 new')
  })

  it('leave out runs beyond an end that has more: they come with their page', () => {
    const window = windowOf([30, 10], { newer: 'n', older: 'o' })
    expect(ids(withRun(window, aRun({ id: 'new', scheduleTime: 40 })))).toBe('r30 r10')
    expect(ids(withRun(window, aRun({ id: 'new', scheduleTime: 5 })))).toBe('r30 r10')
    expect(ids(withRun(window, aRun({ id: 'new', scheduleTime: 20 })))).toBe('r30 new r10')
  })

  it('take a run out when it leaves the filter or is withdrawn', () => {
    const failures = { ...windowOf([30, 20]), filter: parseFilter({ state: 'scheduled' }) }
    expect(ids(withRun(failures, aRun({ id: 'r30', scheduleTime: 30, state: 'running' })))).toBe('r20')
    expect(ids(withoutRun(failures, 'r20'))).toBe('r30')
    expect(withoutRun(failures, 'other')).toBe(failures)
  })

  it('move a run whose schedule time changed', () => {
    expect(ids(withRun(windowOf([30, 20, 10]), aRun({ id: 'r10', scheduleTime: 25 })))).toBe('r30 r10 r20')
  })
})

it('finds the now-line between the coming runs and the past ones', () => {
  expect(comingCount(at(50, 40, 30, 20), 30)).toBe(2)
  expect(comingCount(at(50, 40), 10)).toBe(2)
  expect(comingCount(at(50, 40), 90)).toBe(0)
  expect(comingCount([], 90)).toBe(0)
})
