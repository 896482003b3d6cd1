/** Keys, while nothing is being typed. */

import { onScopeDispose } from 'vue'

export type Shortcuts = Readonly<Record<string, () => void>>

/** How long the second key of `g r` may take. */
const SEQUENCE_MS = 1200

/** Act on keys until the scope ends; `g r` names two keys after one another. */
export function useShortcuts(shortcuts: Shortcuts): void {
  let first = ''
  let firstAt = 0

  function pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    const isSecond = first !== '' && event.timeStamp - firstAt < SEQUENCE_MS
    const act = shortcuts[isSecond ? `${first} ${event.key}` : event.key]
    first = event.key === 'g' ? 'g' : ''
    firstAt = event.timeStamp
    if (act === undefined) return
    event.preventDefault()
    act()
  }

  addEventListener('keydown', pressed)
  onScopeDispose(() => {
    removeEventListener('keydown', pressed)
  })
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || target.closest('input, textarea, select, [role="dialog"], [role="alertdialog"], [role="menu"]') !== null
}
