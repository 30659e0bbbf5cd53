// One registry of keyboard actions. Pages register what they can do; buttons show the key; `?` shows all.
//
// A key is written as people read it: `F2`, `Alt+A`, `Ctrl+Enter`, `?`, `Escape`. While somebody types in a field,
// only keys with Ctrl, Alt or Meta, function keys and Escape are taken.

import { onScopeDispose, shallowReactive } from 'vue'

export interface KeyAction {
  /** Unique among what is registered, e.g. `desk.hold`; also the message `keys.<id>` that says what it does. */
  readonly id: string
  readonly key: string
  readonly run: (event: KeyboardEvent) => void
  /** Taken only while this is so; else the key goes on to whoever has it next. */
  readonly enabled?: () => boolean
  /** What it does, where no message says it. */
  readonly label?: string
}

const MODIFIERS = ['Ctrl', 'Alt', 'Shift', 'Meta'] as const

/** Last registered first: a dialogue's key goes before its page's. */
const actions = shallowReactive<KeyAction[]>([])

export function registered(): readonly KeyAction[] {
  return actions
}

export function keyOf(id: string): string | undefined {
  return actions.find((one) => one.id === id)?.key
}

/** Register; the function returned takes them out again. */
export function addKeys(...more: KeyAction[]): () => void {
  actions.unshift(...more)
  return () => {
    for (const one of more) {
      const place = actions.indexOf(one)
      if (place >= 0) actions.splice(place, 1)
    }
  }
}

/** Register for as long as the component lives. */
export function useKeys(...more: KeyAction[]): void {
  onScopeDispose(addKeys(...more))
}

/** The key pressed, as actions write it. */
export function pressed(event: KeyboardEvent): string {
  // Alt with a letter gives other characters on some keyboards: the place of the key says which was meant.
  const letter = /^Key([A-Z])$/.exec(event.code) ?? /^Digit(\d)$/.exec(event.code)
  const combined = event.ctrlKey || event.altKey || event.metaKey
  const name = combined && letter?.[1] ? letter[1] : event.key.length === 1 ? event.key.toUpperCase() : event.key
  const shift = event.shiftKey && (event.key.length > 1 || combined)
  const held = { Ctrl: event.ctrlKey, Alt: event.altKey, Shift: shift, Meta: event.metaKey }
  return [...MODIFIERS.filter((one) => held[one]), name === ' ' ? 'Space' : name].join('+')
}

/** As the attribute `aria-keyshortcuts` writes it. */
export function ariaKey(key: string): string {
  return key.replaceAll('Ctrl', 'Control')
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}

function ownEvenTyping(key: string): boolean {
  return /^(?:.*\+)?F\d+$/.test(key) || key === 'Escape' || /^(Ctrl|Alt|Meta)\+/.test(key)
}

/** Give a key press to the action that has it; whether one had. */
export function handleKey(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing) return false
  const key = pressed(event)
  if (typing(event.target) && !ownEvenTyping(key)) return false
  const action = actions.find((one) => one.key === key && (one.enabled?.() ?? true))
  if (action === undefined) return false
  event.preventDefault()
  // A key held down repeats itself: a call is not hung up twice.
  if (!event.repeat) action.run(event)
  return true
}

export function listenForKeys(target: Window | HTMLElement = window): () => void {
  const listener = (event: Event): void => void handleKey(event as KeyboardEvent)
  target.addEventListener('keydown', listener)
  return () => target.removeEventListener('keydown', listener)
}
