// The day's curves as ECharts wants them told. Pure.

import { timeOfDay } from '@/common/format.ts'
import type { Curves } from '@/wall/figures.ts'

type Name = 'offered' | 'answered' | 'abandoned' | 'serviceLevel'

export type Colours = Readonly<Record<Name | 'ink' | 'quiet' | 'edge' | 'paper', string>> & {
  /** What a letter measures, CSS pixels. */
  readonly size: number
  /** A CSS font family. */
  readonly font: string
}

export function curvesOption(
  curves: Curves,
  target: number,
  words: Readonly<Record<Name, string>>,
  colours: Colours,
  zone: string,
): object {
  const fontSize = Math.round(colours.size * 0.8)
  const text = { color: colours.quiet, fontSize, fontFamily: colours.font }
  const bars = (name: 'offered' | 'answered' | 'abandoned'): object => ({
    type: 'bar',
    name: words[name],
    data: curves[name],
    itemStyle: { color: colours[name], borderRadius: [2, 2, 0, 0] },
    barGap: '10%',
    barCategoryGap: '30%',
  })
  return {
    animation: false,
    textStyle: { fontFamily: colours.font },
    grid: { left: fontSize * 0.5, right: fontSize * 0.5, top: fontSize * 2.6, bottom: 2, containLabel: true },
    legend: {
      top: 0,
      itemWidth: fontSize,
      itemHeight: fontSize * 0.7,
      itemGap: fontSize * 0.8,
      textStyle: { ...text, color: colours.ink },
    },
    // Drawn, not HTML: the page's Content-Security-Policy allows no style in markup.
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      backgroundColor: colours.paper,
      borderColor: colours.edge,
      textStyle: { ...text, color: colours.ink },
      axisPointer: { type: 'shadow' },
    },
    xAxis: {
      type: 'category',
      data: curves.starts.map((at) => timeOfDay(at, zone).slice(0, 5)),
      axisLabel: { ...text, hideOverlap: true },
      axisLine: { lineStyle: { color: colours.edge } },
      axisTick: { show: false },
    },
    yAxis: [
      {
        type: 'value',
        minInterval: 1,
        axisLabel: text,
        splitLine: { lineStyle: { color: colours.edge } },
      },
      {
        type: 'value',
        min: 0,
        max: 100,
        interval: 25,
        axisLabel: { ...text, formatter: '{value}%' },
        splitLine: { show: false },
      },
    ],
    series: [
      bars('offered'),
      bars('answered'),
      bars('abandoned'),
      {
        type: 'line',
        name: words.serviceLevel,
        yAxisIndex: 1,
        data: curves.serviceLevel.map((one) => (one === null ? null : Number((one * 100).toFixed(1)))),
        color: colours.serviceLevel,
        lineStyle: { width: Math.max(2, colours.size / 8) },
        symbolSize: colours.size * 0.4,
        connectNulls: false,
        markLine: {
          silent: true,
          symbol: 'none',
          data: [{ yAxis: target * 100 }],
          lineStyle: { color: colours.serviceLevel, type: 'dashed', opacity: 0.6 },
          label: { show: false },
        },
      },
    ],
  }
}
