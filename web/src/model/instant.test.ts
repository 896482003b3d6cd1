import { describe, expect, it } from 'vitest'
import { brief, clock, duration, exact, relative, roughly, ticking } from './instant'

const NOON = Date.UTC(2026, 10, 24, 12, 4, 31)
const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('relative times', () => {
  it('says how long from now or ago in at most two units', () => {
    expect(relative(NOON + 4 * MINUTE, NOON)).toBe('in 4 min')
    expect(relative(NOON - 2 * HOUR, NOON)).toBe('2 h ago')
    expect(relative(NOON - 2 * HOUR - 5 * MINUTE, NOON)).toBe('2 h 5 min ago')
    expect(relative(NOON + 300, NOON)).toBe('now')
  })

  it('drops the second unit when the first one is large', () => {
    expect(roughly(11 * HOUR + 20 * MINUTE)).toBe('11 h')
    expect(roughly(50 * HOUR)).toBe('2 d 2 h')
    expect(roughly(300 * HOUR)).toBe('12 d')
  })
})

describe('durations', () => {
  it('shows tenths under ten seconds only', () => {
    expect(duration(4_260)).toBe('4.2 s')
    expect(duration(12_000)).toBe('0:12')
  })

  it('grows to hours and days', () => {
    expect(ticking(4 * MINUTE + 31_000)).toBe('4:31')
    expect(ticking(HOUR + 2 * MINUTE + 3_000)).toBe('1:02:03')
    expect(ticking(50 * HOUR)).toBe('2d 02:00:00')
  })

  it('ticks in whole seconds', () => {
    expect(ticking(4_260)).toBe('0:04')
  })
})

describe('exact times', () => {
  it('are written in the chosen zone', () => {
    expect(exact(NOON, 'utc')).toBe('2026-11-24 12:04:31')
    expect(clock(NOON, 'utc')).toBe('12:04:31')
  })

  it('leave out the day when it is today, and the year when it is this one', () => {
    expect(brief(NOON, NOON + HOUR, 'utc')).toBe('12:04')
    expect(brief(NOON, NOON + 24 * HOUR, 'utc')).toBe('11-24 12:04')
    expect(brief(NOON, NOON + 400 * 24 * HOUR, 'utc')).toBe('2026-11-24 12:04')
  })
})
