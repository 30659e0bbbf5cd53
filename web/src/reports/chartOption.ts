// A report's chart as ECharts wants it told: counts as bars, rates as lines; values of a dimension lie down. Pure.

import type { Row } from '@/reports/report.ts'

export interface Look {
  readonly ink: string
  readonly quiet: string
  readonly edge: string
  readonly paper: string
  readonly bars: readonly string[]
  readonly lines: readonly string[]
  /** What a letter measures, CSS pixels. */
  readonly size: number
  /** A CSS font family. */
  readonly font: string
}

export interface Drawn {
  readonly labels: readonly string[]
  readonly rows: readonly Row[]
  /** Names of counts and rates, and what they are called. */
  readonly counts: readonly (readonly [string, string])[]
  readonly rates: readonly (readonly [string, string])[]
  /** Whether the rows are periods. */
  readonly periods: boolean
}

export function chartOption(drawn: Drawn, look: Look): object {
  const fontSize = Math.round(look.size * 0.8)
  const text = { color: look.quiet, fontSize, fontFamily: look.font }
  const names = {
    type: 'category',
    data: drawn.labels,
    axisLabel: { ...text, hideOverlap: true, width: look.size * 10, overflow: 'truncate' },
    axisLine: { lineStyle: { color: look.edge } },
    axisTick: { show: false },
    inverse: !drawn.periods,
  }
  const numbers = {
    type: 'value',
    minInterval: 1,
    axisLabel: { ...text, hideOverlap: true },
    splitLine: { lineStyle: { color: look.edge } },
  }
  const shares = {
    type: 'value',
    min: 0,
    max: 100,
    interval: 25,
    axisLabel: { ...text, formatter: '{value}%' },
    splitLine: { show: false },
  }
  const bars = drawn.counts.map(([name, told], at) => ({
    type: 'bar',
    name: told,
    data: drawn.rows.map((row) => row.counts[name] ?? 0),
    itemStyle: { color: look.bars[at % look.bars.length], borderRadius: 2 },
    barGap: '10%',
    barCategoryGap: '30%',
  }))
  const lines = drawn.rates.map(([name, told], at) => ({
    type: 'line',
    name: told,
    yAxisIndex: 1,
    data: drawn.rows.map((row) => percent(row.rates[name])),
    color: look.lines[at % look.lines.length],
    symbolSize: look.size * 0.4,
    connectNulls: false,
  }))
  return {
    animation: false,
    textStyle: { fontFamily: look.font },
    grid: { left: 4, right: fontSize, top: fontSize * 2.6, bottom: 4, containLabel: true },
    legend: {
      top: 0,
      itemWidth: fontSize,
      itemHeight: fontSize * 0.7,
      itemGap: fontSize * 0.8,
      textStyle: { ...text, color: look.ink },
    },
    // Drawn, not HTML: the page's Content-Security-Policy allows no style in markup.
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      backgroundColor: look.paper,
      borderColor: look.edge,
      textStyle: { ...text, color: look.ink },
      axisPointer: { type: 'shadow' },
    },
    xAxis: drawn.periods ? names : numbers,
    yAxis: drawn.periods ? [numbers, shares] : names,
    series: drawn.periods ? [...bars, ...lines] : bars,
  }
}

function percent(share: number | null | undefined): number | null {
  return share === null || share === undefined ? null : Number((share * 100).toFixed(2))
}
