/** Short reports of what an operation did, at the edge of the window. */

import { readonly, ref, type Ref } from 'vue'
import { failureOf } from './useLive'

export interface Toast {
  readonly id: number
  readonly tone: 'good' | 'bad'
  readonly text: string
  readonly help: string | null
  /** A page about what came of it, by its address. */
  readonly link: { to: string; text: string } | null
}

const SHOWN_MS = 7_000
const MAX_TOASTS = 4
const toasts = ref<Toast[]>([])
let count = 0

export function useToasts(): Readonly<Ref<readonly Toast[]>> {
  return readonly(toasts)
}

export function toast(text: string, link: Toast['link'] = null): void {
  add({ tone: 'good', text, help: null, link })
}

/** A failure stays until it is dismissed: nobody should miss why something did not happen. */
export function toastFailure(what: string, error: unknown): void {
  const { message, help } = failureOf(error)
  add({ tone: 'bad', text: `${what}: ${message}`, help, link: null })
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((shown) => shown.id !== id)
}

function add(fields: Omit<Toast, 'id'>): void {
  const id = ++count
  toasts.value = [...toasts.value, { id, ...fields }].slice(-MAX_TOASTS)
  if (fields.tone === 'good') {
    setTimeout(() => {
      dismiss(id)
    }, SHOWN_MS)
  }
}
