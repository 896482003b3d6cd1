/** How fresh what the dashboard shows is. */

export type ConnectionState = 'connecting' | 'live' | 'late' | 'reconnecting' | 'down'

export interface Connection {
  readonly state: ConnectionState
  /** When the last event came, by the browser's clock; null before the first. */
  readonly lastEventAt: number | null
  /** What the server's clock is ahead of the browser's, in milliseconds. */
  readonly skewMs: number
}

export const CONNECTION_LOOKS: Record<ConnectionState, { label: string; colour: string; stale: boolean }> = {
  connecting: { label: 'connecting', colour: 'grey', stale: false },
  live: { label: 'live', colour: 'green', stale: false },
  late: { label: 'late', colour: 'amber', stale: true },
  reconnecting: { label: 'reconnecting', colour: 'amber', stale: true },
  down: { label: 'down', colour: 'red', stale: true },
}

/** Pings come every 5 seconds: one missed is late, four are a dead connection. */
export const LATE_MS = 8_000
export const DEAD_MS = 22_000
/** Failures in a row after which reconnecting is called down. */
export const DOWN_AFTER = 4

/** The wait before the next attempt, doubling from half a second to ten; `random` in 0..1 spreads many browsers. */
export function backoffMs(failures: number, random: number): number {
  return Math.min(10_000, 500 * 2 ** Math.max(0, failures - 1)) * (0.75 + 0.5 * random)
}
