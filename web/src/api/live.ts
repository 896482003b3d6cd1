/** A tab's end of the feed: through the SharedWorker, or by itself where there is none. */

import type { Connection } from '@/model/connection'
import { Feed, type FeedMessage } from './feed'

export type Listener = (message: FeedMessage) => void

export class Live {
  private readonly listeners = new Set<Listener>()
  private connection: Connection = { state: 'connecting', lastEventAt: null, skewMs: 0 }
  private resetTo: string | null = null
  private leave: (() => void) | null = null

  constructor(private readonly join: (emit: Listener) => () => void = joinFeed) {}

  /** Hear everything from now on, after what a newcomer must know; answers how to stop. */
  subscribe(listener: Listener): () => void {
    listener({ kind: 'connection', connection: this.connection })
    if (this.resetTo !== null) listener({ kind: 'reset', asOf: this.resetTo })
    this.listeners.add(listener)
    this.resume()
    return () => this.listeners.delete(listener)
  }

  resume(): void {
    this.leave ??= this.join((message) => {
      this.take(message)
    })
  }

  pause(): void {
    this.leave?.()
    this.leave = null
  }

  private take(message: FeedMessage): void {
    if (message.kind === 'connection') this.connection = message.connection
    if (message.kind === 'reset') this.resetTo = message.asOf
    for (const listener of this.listeners) listener(message)
  }
}

let shared: Live | null = null

/** The tab's only `Live`. A page put into the back-forward cache leaves, and joins again when it is shown. */
export function live(): Live {
  if (shared !== null) return shared
  const mine = new Live()
  addEventListener('pagehide', () => {
    mine.pause()
  })
  addEventListener('pageshow', (event) => {
    if (event.persisted) mine.resume()
  })
  shared = mine
  return mine
}

function joinFeed(emit: Listener): () => void {
  return typeof SharedWorker === 'undefined' ? joinInTab(emit) : joinWorker(emit)
}

function joinWorker(emit: Listener): () => void {
  const worker = new SharedWorker(new URL('./feed-worker.ts', import.meta.url), { type: 'module', name: 'apsis-feed' })
  let leave = (): void => {
    worker.port.postMessage('leave')
    worker.port.close()
  }
  worker.port.onmessage = (event: MessageEvent<FeedMessage>) => {
    emit(event.data)
  }
  // A worker that cannot be loaded (private windows of some browsers) must not leave the page without news.
  worker.onerror = () => {
    leave = joinInTab(emit)
  }
  return () => {
    leave()
  }
}

function joinInTab(emit: Listener): () => void {
  const feed = new Feed(emit)
  feed.open()
  return () => {
    feed.close()
  }
}
