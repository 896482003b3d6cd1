import { describe, expect, it } from 'vitest'
import { attemptText, attemptToShow, breachText, elapsedMs, endedAt, lateMs, startedAt, waitingFor } from './run'
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
    { text: 'a', holds: true, reason: null, value: null, blocking: [] },
    { text: 'b', holds: false, reason: 'not yet', value: null, blocking: [] },
    { text: 'c', holds: null, reason: null, value: null, blocking: [] },
  ]
  const details = { program: null, conditions, actions: [], policies: {}, meta: {}, outputLength: 0, operations: [] }

  it('is its first condition that does not hold, and why', () => {
    expect(waitingFor({ ...aRun({ state: 'waiting' }), ...details })).toBe('b: not yet')
  })

  it('is what is to be asked next, before that has said anything', () => {
    const unasked = conditions.filter(({ holds }) => holds !== false)
    expect(waitingFor({ ...aRun({ state: 'waiting' }), ...details, conditions: unasked })).toBe('c')
  })

  it('is nothing once it waits no more', () => {
    expect(waitingFor({ ...aRun({ state: 'running' }), ...details })).toBeNull()
  })
})

describe('a run that is tried again', () => {
  const again = aRun({ state: 'scheduled', attempt: 2, attempts: 4, scheduleTime: 1_000, dueAt: 9_000, times: { running: 1_200 } })

  it('says which attempt it is in, and of how many if that is known', () => {
    expect(attemptText(again)).toBe('attempt 2 of 4')
    expect(attemptText(aRun({ attempt: 3 }))).toBe('attempt 3')
    expect(attemptText(aRun())).toBe('')
  })

  it('is late only when its next attempt is', () => {
    expect(lateMs(again, 5_000)).toBe(0)
    expect(lateMs(again, 9_500)).toBe(500)
    expect(lateMs({ ...again, state: 'running', times: { running: 9_100 } }, 20_000)).toBe(100)
  })

  it('shows the output of its newest attempt that has begun', () => {
    expect(attemptToShow(again)).toBe(1)
    expect(attemptToShow({ ...again, state: 'running' })).toBe(2)
    expect(attemptToShow({ ...again, state: 'failure' })).toBe(2)
    expect(attemptToShow(aRun())).toBe(1)
  })
})

it('a run that has missed deadlines says which', () => {
  expect(breachText(aRun({ breached: ['start_by', 'longer_than'] }))).toBe('not started in time, running longer than it should')
  expect(breachText(aRun())).toBe('')
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
