/**
 * Keeps a list of equal rows still while it changes.
 *
 * At home the now-line stays where it is and rows pass it; scrolled away, the row at the top of the window
 * stays where it is, and what arrives above it is counted instead of shown.
 */

import { nextTick, onScopeDispose, ref, watch, type Ref } from 'vue'

export interface Anchored {
  scroller: Readonly<Ref<HTMLElement | null>>
  /** The rows' keys, the now-line among them. */
  keys: Readonly<Ref<readonly string[]>>
  nowIndex: Readonly<Ref<number>>
  rowHeight: Readonly<Ref<number>>
  /** Coming rows shown above the now-line at home. */
  lead: Readonly<Ref<number>>
}

export interface AnchoredScroll {
  /** Whether the now-line stands at its own place. */
  home: Readonly<Ref<boolean>>
  /** Past rows that arrived above the window since it was scrolled. */
  newer: Readonly<Ref<number>>
  goHome(): void
}

export function useAnchoredScroll({ scroller, keys, nowIndex, rowHeight, lead }: Anchored): AnchoredScroll {
  const home = ref(true)
  const newer = ref(0)
  let settledAt: number | null = null

  function homeTop(nowAt = nowIndex.value): number {
    return Math.max(0, (nowAt - lead.value) * rowHeight.value)
  }

  function isAt(top: number, element: HTMLElement): boolean {
    const most = element.scrollHeight - element.clientHeight
    return Math.abs(element.scrollTop - Math.min(top, most)) < rowHeight.value / 2
  }

  function goHome(): void {
    home.value = true
    newer.value = 0
    if (scroller.value !== null) settle(scroller.value)
  }

  function settle(element: HTMLElement): void {
    element.scrollTop = homeTop()
    settledAt = element.scrollTop
  }

  function scrolled(): void {
    const element = scroller.value
    if (element === null) return
    home.value = isAt(homeTop(), element)
    if (element.scrollTop <= nowIndex.value * rowHeight.value) newer.value = 0
  }

  function keep(after: readonly string[], before: readonly string[], nowBefore: number): void {
    const element = scroller.value
    if (element === null) return
    // Scrolled an instant ago, and the event that says so is still to come: a person's scrolling wins.
    if (home.value && settledAt !== null && element.scrollTop !== settledAt) home.value = isAt(homeTop(nowBefore), element)
    if (home.value) {
      settle(element)
      return
    }
    const top = Math.floor(element.scrollTop / rowHeight.value)
    const index = placeOf(before, after, top)
    const pastBefore = top - nowBefore
    const pastAfter = index - nowIndex.value
    if (pastBefore > 0 && pastAfter > pastBefore) newer.value += pastAfter - pastBefore
    element.scrollTop += (index - top) * rowHeight.value
  }

  watch(scroller, (element, before) => {
    before?.removeEventListener('scroll', scrolled)
    element?.addEventListener('scroll', scrolled, { passive: true })
    void nextTick(goHome)
  })
  watch([keys, nowIndex], ([after], [before, nowBefore]) => {
    keep(after, before, nowBefore)
  }, { flush: 'post' })
  watch(rowHeight, goHome, { flush: 'post' })
  onScopeDispose(() => scroller.value?.removeEventListener('scroll', scrolled))

  return { home, newer, goHome }
}

/** Where the row at `top` went; if it is gone, the next one that is still there. */
export function placeOf(before: readonly string[], after: readonly string[], top: number): number {
  const places = new Map(after.map((key, index) => [key, index]))
  for (let index = top; index < before.length; index += 1) {
    const place = places.get(before[index] ?? '')
    if (place !== undefined) return place - (index - top)
  }
  return top
}
