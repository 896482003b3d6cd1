/** Instants and durations in words. `now` is always an argument. */

export type Zone = 'local' | 'utc'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `4 s`, `12 min`, `2 h 5 min`, `3 d 4 h`: at most two units, the second one only when it says something. */
export function roughly(ms: number): string {
  const span = Math.abs(ms)
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`
  if (span < DAY) return pair(span, HOUR, 'h', MINUTE, 'min', 10)
  return pair(span, DAY, 'd', HOUR, 'h', 10)
}

/** `in 4 min`, `2 h ago`, `now`. */
export function relative(at: number, now: number): string {
  const ms = at - now
  if (Math.abs(ms) < SECOND) return 'now'
  return ms > 0 ? `in ${roughly(ms)}` : `${roughly(ms)} ago`
}

/** `0:04`, `12:31`, `1:02:03`, `2d 01:02:03`; under ten seconds with tenths, as `4.2 s`. */
export function duration(ms: number): string {
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  return ticking(ms)
}

/** Like `duration`, in whole seconds: what changes once a second shows no tenths. */
export function ticking(ms: number): string {
  const days = Math.floor(ms / DAY)
  const hours = Math.floor((ms % DAY) / HOUR)
  const minutes = Math.floor((ms % HOUR) / MINUTE)
  const seconds = two(Math.floor((ms % MINUTE) / SECOND))
  if (days > 0) return `${days}d ${two(hours)}:${two(minutes)}:${seconds}`
  return hours > 0 ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`
}

/** `12:04:31` in the zone. */
export function clock(at: number, zone: Zone): string {
  const p = parts(at, zone)
  return `${p.hour}:${p.minute}:${p.second}`
}

/** `2026-11-24 12:04:31` in the zone. */
export function exact(at: number, zone: Zone): string {
  const p = parts(at, zone)
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`
}

/** `12:04`, with the day in front when it is another than today's. */
export function brief(at: number, now: number, zone: Zone): string {
  const p = parts(at, zone)
  const today = parts(now, zone)
  const time = `${p.hour}:${p.minute}`
  if (p.year === today.year && p.month === today.month && p.day === today.day) return time
  return p.year === today.year ? `${p.month}-${p.day} ${time}` : `${p.year}-${p.month}-${p.day} ${time}`
}

/** What stands on hover: the local time, UTC, and how far away it is. */
export function hover(at: number, now: number): string {
  return `${exact(at, 'local')} ${localOffset(at)}\n${exact(at, 'utc')} UTC\n${relative(at, now)}`
}

/** `+01:00` of the browser's zone at that instant. */
export function localOffset(at: number): string {
  const minutes = -new Date(at).getTimezoneOffset()
  const sign = minutes < 0 ? '−' : '+'
  return `${sign}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
}

export function iso(at: number): string {
  return new Date(at).toISOString()
}

function parts(at: number, zone: Zone): Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', string> {
  const date = new Date(zone === 'utc' ? at : at - new Date(at).getTimezoneOffset() * MINUTE)
  const [day = '', time = ''] = date.toISOString().split('T')
  const [year = '', month = '', dayOfMonth = ''] = day.split('-')
  const [hour = '', minute = '', second = ''] = time.slice(0, 8).split(':')
  return { year, month, day: dayOfMonth, hour, minute, second }
}

function pair(span: number, big: number, bigName: string, small: number, smallName: string, upTo: number): string {
  const count = Math.floor(span / big)
  const rest = Math.floor((span % big) / small)
  return rest === 0 || count >= upTo ? `${count} ${bigName}` : `${count} ${bigName} ${rest} ${smallName}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
