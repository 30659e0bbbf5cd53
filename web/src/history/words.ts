// What was said, word by word, with the time at which each was said. Pure.
//
// The recogniser tells when an utterance began and ended, not when each word did: speech within it is taken as even,
// as it is where an order's evidence is timed.

import type { Side, Utterance } from '@/stream/frames.ts'

export interface Word {
  readonly text: string
  /** Seconds of call time. */
  readonly from: number
  readonly to: number
  /** Found by the search that led here. */
  readonly hit: boolean
}

export interface Sentence {
  readonly id: string
  readonly side: Side
  readonly from: number
  readonly to: number
  readonly words: readonly Word[]
}

const PIECES = /[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu
const segmenter =
  typeof Intl.Segmenter === 'function' ? new Intl.Segmenter('zh-CN', { granularity: 'word' }) : null

function* pieces(text: string): Generator<{ text: string; at: number }> {
  if (segmenter) for (const one of segmenter.segment(text)) yield { text: one.segment, at: one.index }
  else for (const one of text.matchAll(PIECES)) yield { text: one[0], at: one.index }
}

/** The utterances in order of time, cut into words; `terms`: folded, as `termsOf` gives them. */
export function sentences(said: readonly Utterance[], terms: readonly string[] = []): Sentence[] {
  return said
    .filter((one) => one.text !== '')
    .map((one) => {
      const rate = (one.end - one.start) / one.text.length
      const found = hits(one.text, terms)
      const words: Word[] = []
      for (const piece of pieces(one.text)) {
        const end = piece.at + piece.text.length
        const hit = found.some(([from, to]) => from < end && piece.at < to)
        // Marks are no words: they belong to the word before them.
        const last = words.at(-1)
        if (!/[\p{L}\p{N}]/u.test(piece.text) && last && last.hit === hit) {
          words[words.length - 1] = { ...last, text: last.text + piece.text, to: one.start + end * rate }
        } else words.push({ text: piece.text, from: one.start + piece.at * rate, to: one.start + end * rate, hit })
      }
      return { id: one.id, side: one.side, from: one.start, to: one.end, words }
    })
    .sort((a, b) => a.from - b.from)
}

/** What is being said at `at` seconds of call time; both may speak at once. */
export function spokenAt(all: readonly Sentence[], at: number): ReadonlySet<string> {
  return new Set(all.filter((one) => one.from <= at && at < one.to).map((one) => one.id))
}

/** The sentence that begins before or after `at`; where there is none, the first or the last. */
export function neighbour(all: readonly Sentence[], at: number, step: -1 | 1): Sentence | undefined {
  // A moment after its beginning one wants the sentence before, not this one again.
  if (step < 0) return all.findLast((one) => one.from < at - 0.6) ?? all[0]
  return all.find((one) => one.from > at + 0.05) ?? all.at(-1)
}

function fold(text: string): string {
  return [...text.normalize('NFKC').toLowerCase()].filter((one) => /[\p{L}\p{N}]/u.test(one)).join('')
}

/** The words of a search, folded as the gateway folds them (domain/search.py). */
export function termsOf(query: string): string[] {
  return [...new Set(query.split(/\s+/).map(fold).filter((one) => one !== ''))]
}

/** Where the terms stand in a text: `[from, to)` in its characters, however it is punctuated. */
export function hits(text: string, terms: readonly string[]): [number, number][] {
  let folded = ''
  const places: number[] = []
  for (let at = 0; at < text.length; ) {
    const one = String.fromCodePoint(text.codePointAt(at) ?? 0)
    for (const unit of fold(one).split('')) {
      folded += unit
      places.push(at)
    }
    at += one.length
  }
  const found: [number, number][] = []
  for (const term of terms) {
    for (let at = folded.indexOf(term); at >= 0; at = folded.indexOf(term, at + 1)) {
      found.push([places[at] ?? 0, (places[at + term.length - 1] ?? 0) + 1])
    }
  }
  return found
}
