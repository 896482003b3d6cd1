/** The SharedWorker around the feed: browsers allow six connections a host, all tabs share one. */

import { Feed } from './feed'

interface WorkerScope {
  onconnect: ((event: MessageEvent) => void) | null
}

const ports = new Set<MessagePort>()

const feed = new Feed((message) => {
  for (const port of ports) port.postMessage(message)
})

;(self as unknown as WorkerScope).onconnect = (event) => {
  const port = event.ports[0]
  if (port === undefined) return
  port.onmessage = (message: MessageEvent) => {
    if (message.data === 'leave') leave(port)
  }
  join(port)
}

function join(port: MessagePort): void {
  for (const message of feed.greeting()) port.postMessage(message)
  ports.add(port)
  port.start()
  feed.open()
}

function leave(port: MessagePort): void {
  ports.delete(port)
  port.close()
  if (ports.size === 0) feed.close()
}
