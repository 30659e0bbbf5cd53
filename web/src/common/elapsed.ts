// One second hand for all timers on the page: it writes their text itself, so that a thousand of them cost no
// rendering at all.

import { duration } from '@/common/format.ts'

interface Hand {
  readonly element: HTMLElement
  readonly text: (now: number) => string
}

const hands = new Set<Hand>()
let beat: ReturnType<typeof setInterval> | null = null
let clock: () => number = () => Date.now() / 1000

/** The gateway's clock: timers count from its instants. */
export function setClock(now: () => number): void {
  clock = now
}

function write(hand: Hand): void {
  const text = hand.text(clock())
  if (hand.element.textContent !== text) hand.element.textContent = text
}

/** Keep an element's text up to date; the function returned ends it. */
export function addHand(element: HTMLElement, text: (now: number) => string): () => void {
  const hand = { element, text }
  hands.add(hand)
  write(hand)
  beat ??= setInterval(() => hands.forEach(write), 1000)
  return () => {
    hands.delete(hand)
    if (hands.size === 0 && beat !== null) {
      clearInterval(beat)
      beat = null
    }
  }
}

/** Time since (or until, where it lies ahead) an instant. */
export function elapsed(since: number, now: number): string {
  return duration(Math.abs(now - since))
}
