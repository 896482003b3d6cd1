import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Feed, type FeedMessage } from './feed'

/** An EventSource that a test speaks through. */
class FakeSource extends EventTarget {
  static all: FakeSource[] = []
  onerror: (() => void) | null = null
  closed = false

  constructor(readonly url: string) {
    super()
    FakeSource.all.push(this)
  }

  static get last(): FakeSource {
    const last = FakeSource.all.at(-1)
    if (last === undefined) throw new Error('nothing was opened')
    return last
  }

  say(name: string, data: object, id = ''): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId: id }))
  }

  close(): void {
    this.closed = true
  }
}

let said: FeedMessage[] = []
let feed: Feed

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('EventSource', FakeSource)
  FakeSource.all = []
  said = []
  feed = new Feed((message) => said.push(message))
  feed.open()
})

afterEach(() => {
  feed.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function resets(): string[] {
  return said.flatMap((message) => (message.kind === 'reset' ? [message.asOf] : []))
}

function states(): string[] {
  return said.flatMap((message) => (message.kind === 'connection' ? [message.connection.state] : []))
}

describe('the feed', () => {
  it('begins with a reset, and tells it to readers who come later', () => {
    FakeSource.last.say('hello', { as_of: 's.1' })
    expect(resets()).toEqual(['s.1'])
    expect(feed.greeting().map((message) => message.kind)).toEqual(['connection', 'reset'])
  })

  it('goes on from the last event after a break, without a reset', () => {
    FakeSource.last.say('hello', { as_of: 's.1' })
    FakeSource.last.say('run-withdrawn', { run_id: 'r', job_id: 'j' }, 's.2')
    FakeSource.last.onerror?.()
    expect(FakeSource.last.closed).toBe(true)
    vi.advanceTimersByTime(1_000)
    expect(FakeSource.last.url).toBe('/api/v1/events?after=s.2')
    FakeSource.last.say('hello', { as_of: 's.2' })
    expect(resets()).toEqual(['s.1'])
    expect(states().at(-1)).toBe('live')
  })

  it('resets when the server was started anew', () => {
    FakeSource.last.say('hello', { as_of: 's.1' })
    FakeSource.last.say('bye', {})
    vi.advanceTimersByTime(1_000)
    FakeSource.last.say('hello', { as_of: 't.1' })
    FakeSource.last.say('reset', { as_of: 't.1' })
    expect(resets()).toEqual(['s.1', 't.1'])
  })

  it('is reconnecting at first and down after several failures', () => {
    FakeSource.last.say('hello', { as_of: 's.1' })
    for (let attempt = 0; attempt < 4; attempt += 1) {
      FakeSource.last.onerror?.()
      vi.advanceTimersByTime(10_000)
    }
    expect(states()).toEqual(['live', 'reconnecting', 'down'])
  })

  it('is late when pings stop, and connects anew when they stay away', () => {
    FakeSource.last.say('hello', { as_of: 's.1' })
    vi.advanceTimersByTime(10_000)
    expect(states().at(-1)).toBe('late')
    vi.advanceTimersByTime(15_000)
    expect(FakeSource.all).toHaveLength(2)
  })

  it('measures what the clocks differ by', () => {
    FakeSource.last.say('ping', { time: new Date(Date.now() + 60_000).toISOString() })
    const last = said.findLast((message) => message.kind === 'connection')
    expect(last?.kind === 'connection' && last.connection.skewMs).toBe(60_000)
  })
})
