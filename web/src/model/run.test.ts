import { describe, expect, it } from 'vitest'
import { elapsedMs, endedAt, lateMs, startedAt, waitingFor } from './run'
import { aRun } from './run.factory'
import { isFinal, LOOKS, STATES } from './state'

describe('the times of a run', () => {
  it('count from the start of its program while it runs', () => {
    const run = aRun({ state: 'running', times: { starting: 900, running: 1_000 } })
    expect(startedAt(run)).toBe(1_000)
    expect(elapsedMs(run, 5_000)).toBe(4_000)
  })

  it('stand still once it has ended', () => {
    const run = aRun({ state: 'failure', times: { running: 1_000, failure: 3_000 } })
    expect(endedAt(run)).toBe(3_000)
    expect(elapsedMs(run, 99_000)).toBe(2_000)
  })

  it('are none for a run that never started', () => {
    expect(elapsedMs(aRun({ state: 'skipped', times: { skipped: 3_000 } }), 99_000)).toBeNull()
  })

  it('say how late it started, or is by now', () => {
    expect(lateMs(aRun({ state: 'waiting', scheduleTime: 1_000 }), 5_000)).toBe(4_000)
    expect(lateMs(aRun({ state: 'running', scheduleTime: 1_000, times: { running: 1_200 } }), 5_000)).toBe(200)
    expect(lateMs(aRun({ state: 'skipped', scheduleTime: 1_000 }), 5_000)).toBe(0)
    expect(lateMs(aRun({ scheduleTime: 9_000 }), 5_000)).toBe(0)
  })
})

describe('what a run waits for', () => {
  const conditions = [
    { text: 'a', holds: true },
    { text: 'b', holds: false },
    { text: 'c', holds: null },
  ]
  const details = { program: null, conditions, meta: {}, outputLength: 0, operations: [] }

  it('is its first condition that does not hold', () => {
    expect(waitingFor({ ...aRun({ state: 'waiting' }), ...details })).toBe('b')
  })

  it('is nothing once it waits no more', () => {
    expect(waitingFor({ ...aRun({ state: 'running' }), ...details })).toBeNull()
  })
})

describe('states', () => {
  it('each have a shape of their own', () => {
    const shapes = STATES.map((state) => JSON.stringify([LOOKS[state].strokes, LOOKS[state].fills]))
    expect(new Set(shapes).size).toBe(STATES.length)
  })

  it('beat only while something is running', () => {
    expect(STATES.filter((state) => LOOKS[state].beats)).toEqual(['running'])
    expect(STATES.filter(isFinal)).toEqual(['success', 'failure', 'error', 'skipped'])
  })
})
