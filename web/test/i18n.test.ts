import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

interface Tree {
  readonly [key: string]: Tree | string
}

const zh = import.meta.glob<Tree>('../src/i18n/zh/*.ts', { eager: true, import: 'default' })
const en = import.meta.glob<Tree>('../src/i18n/en/*.ts', { eager: true, import: 'default' })

function flat(found: Record<string, Tree>): Map<string, string> {
  const all = new Map<string, string>()
  const walk = (tree: Tree, prefix: string): void => {
    for (const [key, value] of Object.entries(tree)) {
      if (typeof value === 'string') all.set(prefix + key, value)
      else walk(value, `${prefix}${key}.`)
    }
  }
  for (const [path, tree] of Object.entries(found)) walk(tree, `${/(\w+)\.ts$/.exec(path)?.[1] ?? ''}.`)
  return all
}

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* sources(path)
    else if (/\.(vue|ts)$/.test(entry.name)) yield path
  }
}

const [chinese, english] = [flat(zh), flat(en)]
const slots = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()

describe('messages', () => {
  it('are the same in both languages, with the same slots', () => {
    expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort())
    for (const [key, text] of chinese) {
      const there = slots(english.get(key) ?? '')
      // What programs are told (a resource's or a permission's name) people may do without.
      const told = /^(refused|doctor)\./.test(key) ? there.filter((slot) => slots(text).includes(slot)) : there
      expect(told, key).toEqual(slots(text))
    }
  })

  it('exist for every key that the source names', () => {
    const missing: string[] = []
    let named = 0
    for (const path of sources(join(import.meta.dirname, '..', 'src'))) {
      const text = readFileSync(path, 'utf8')
      for (const [, key = ''] of text.matchAll(/\bt\(\s*'([\w.]+)'/g)) {
        named += 1
        if (!chinese.has(key)) missing.push(`${path}: ${key}`)
      }
      // `area.${…}` must at least name a branch that there is.
      for (const [, branch = ''] of text.matchAll(/\bt\(\s*`([\w.]+\.)\$\{/g)) {
        named += 1
        if (![...chinese.keys()].some((key) => key.startsWith(branch))) missing.push(`${path}: ${branch}`)
      }
    }
    expect(missing).toEqual([])
    expect(named).toBeGreaterThan(40)
  })
})
