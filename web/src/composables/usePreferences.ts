/** What a person chose once, remembered in the browser. */

import { ref, watch, type Ref } from 'vue'
import type { Zone } from '@/model/instant'

export type Theme = 'system' | 'light' | 'dark'

export const THEMES: readonly Theme[] = ['system', 'light', 'dark']

const zone = remembered<Zone>('apsis.zone', ['local', 'utc'])
const theme = remembered<Theme>('apsis.theme', THEMES)
const wrap = remembered<'wrap' | 'scroll'>('apsis.wrap', ['wrap', 'scroll'])

export function useZone(): Ref<Zone> {
  return zone
}

export function useTheme(): Ref<Theme> {
  return theme
}

export function useWrap(): Ref<'wrap' | 'scroll'> {
  return wrap
}

/** Put the theme on the document, now and whenever it changes. */
export function applyTheme(): void {
  watch(
    theme,
    (chosen) => {
      if (chosen === 'system') delete document.documentElement.dataset['theme']
      else document.documentElement.dataset['theme'] = chosen
    },
    { immediate: true },
  )
}

function remembered<T extends string>(key: string, choices: readonly [T, ...T[]] | readonly T[]): Ref<T> {
  const stored = read(key)
  const value = ref(choices.find((choice) => choice === stored) ?? choices[0]) as Ref<T>
  watch(value, (chosen) => {
    try {
      localStorage.setItem(key, chosen)
    } catch {
      // Storage may be forbidden: then a choice lasts as long as the page.
    }
  })
  return value
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}
