// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { addKeys, ariaKey, keyOf, listenForKeys, pressed, registered } from '@/common/keys.ts'
import { ACTION_KEYS } from '@/wall/supervision.ts'

const ends: (() => void)[] = []
const register = (...more: Parameters<typeof addKeys>): void => void ends.push(addKeys(...more))

beforeEach(() => void ends.push(listenForKeys(window)))
afterEach(() => {
  for (const end of ends.splice(0)) end()
  document.body.replaceChildren()
  expect(registered()).toEqual([])
})

function press(init: KeyboardEventInit, on: EventTarget = document.body): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init })
  on.dispatchEvent(event)
  return event
}

describe('the key pressed', () => {
  it.each([
    [{ key: 'F2' }, 'F2'],
    [{ key: 'a', code: 'KeyA' }, 'A'],
    [{ key: '?', code: 'Slash', shiftKey: true }, '?'],
    [{ key: 'å', code: 'KeyA', altKey: true }, 'Alt+A'],
    [{ key: 'D', code: 'KeyD', altKey: true, shiftKey: true }, 'Alt+Shift+D'],
    [{ key: 'Enter', ctrlKey: true }, 'Ctrl+Enter'],
    [{ key: '!', code: 'Digit1', altKey: true, shiftKey: true }, 'Alt+Shift+1'],
    [{ key: ' ' }, 'Space'],
    [{ key: 'Tab', shiftKey: true }, 'Shift+Tab'],
  ])('%o is %s', (init, name) => {
    expect(pressed(new KeyboardEvent('keydown', init))).toBe(name)
  })

  it('is told to screen readers in their words', () => {
    expect(ariaKey('Ctrl+Alt+A')).toBe('Control+Alt+A')
  })
})

describe('the registry', () => {
  it('runs the action of the key, and nothing else', () => {
    const [answer, other] = [vi.fn(), vi.fn()]
    register({ id: 'desk.answer', key: 'F2', run: answer }, { id: 'desk.hold', key: 'F3', run: other })
    expect(press({ key: 'F2' }).defaultPrevented).toBe(true)
    expect(answer).toHaveBeenCalledOnce()
    expect(other).not.toHaveBeenCalled()
    expect(keyOf('desk.hold')).toBe('F3')
    expect(press({ key: 'F4' }).defaultPrevented).toBe(false)
  })

  it('leaves what is typed to the field, but takes function keys and those with Alt or Ctrl', () => {
    const [help, answer, hold] = [vi.fn(), vi.fn(), vi.fn()]
    register({ id: 'a', key: '?', run: help }, { id: 'b', key: 'F2', run: answer })
    register({ id: 'c', key: 'Alt+H', run: hold })
    const field = document.body.appendChild(document.createElement('textarea'))
    expect(press({ key: '?', shiftKey: true }, field).defaultPrevented).toBe(false)
    press({ key: 'F2' }, field)
    press({ key: 'h', code: 'KeyH', altKey: true }, field)
    expect([help, answer, hold].map((one) => one.mock.calls.length)).toEqual([0, 1, 1])
    press({ key: '?', shiftKey: true })
    expect(help).toHaveBeenCalledOnce()
  })

  it('lets the last registered go first while it is enabled', () => {
    const [page, dialogue] = [vi.fn(), vi.fn()]
    let open = true
    register({ id: 'page', key: 'Escape', run: page })
    register({ id: 'dialogue', key: 'Escape', run: dialogue, enabled: () => open })
    press({ key: 'Escape' })
    open = false
    press({ key: 'Escape' })
    expect(dialogue).toHaveBeenCalledOnce()
    expect(page).toHaveBeenCalledOnce()
  })

  it('does a thing once though the key is held down, and nothing while characters are composed', () => {
    const run = vi.fn()
    register({ id: 'a', key: 'F9', run })
    press({ key: 'F9' })
    expect(press({ key: 'F9', repeat: true }).defaultPrevented).toBe(true)
    press({ key: 'F9', isComposing: true })
    expect(run).toHaveBeenCalledOnce()
  })

  it('forgets what is taken out', () => {
    const run = vi.fn()
    const end = addKeys({ id: 'a', key: 'F9', run })
    end()
    press({ key: 'F9' })
    expect(run).not.toHaveBeenCalled()
  })
})

describe('the keys of a page', () => {
  const sources = import.meta.glob<string>('../src/{app,common,desk,wall,history,admin}/**/*.{ts,vue}', {
    eager: true, query: '?raw', import: 'default',
  })
  /** As written where they are registered: `key: 'Alt+P'`. */
  const keysIn = (folder: string): readonly string[] =>
    Object.entries(sources)
      .filter(([path]) => path.startsWith(`../src/${folder}/`))
      .flatMap(([, text]) => [...text.matchAll(/\bkey: '([^']+)'/g)].map((found) => found[1] ?? ''))

  it.each(['desk', 'wall', 'history', 'admin'])('mean one thing each: %s', (page) => {
    const shared = page === 'desk' ? ['common', 'app'] : ['app']
    const actions = page === 'wall' ? Object.values(ACTION_KEYS) : []
    const keys = [...[page, ...shared].flatMap(keysIn), ...actions].sort()
    if (page === 'desk') expect(keys).toContain('F2')
    expect(keys).toEqual([...new Set(keys)])
  })
})
