package main

import (
	"encoding/json"
	"fmt"
)

// dashboard is what a dashboard of ours consists of: rows of panels, each panel
// a handful of expressions.
type dashboard struct {
	uid, title, description string
	rows                    []row
}

type row struct {
	title  string
	panels []panel
}

// panel is a graph over time, unless stat makes it one number.
type panel struct {
	title, description string
	// unit is Grafana's: short, s, bytes, reqps, ops, percentunit.
	unit    string
	stat    bool
	stacked bool
	// width is in Grafana's columns, of which there are 24; 8 where it is zero.
	width   int
	targets []target
}

type target struct {
	expr, legend string
}

const (
	statHeight  = 4
	graphHeight = 8
	defaultSpan = 8
	columns     = 24
)

// render writes a dashboard in Grafana's own format.
func (d dashboard) render() ([]byte, error) {
	var panels []any
	id, y := 0, 0
	add := func(p map[string]any, x, y, width, height int) {
		id++
		p["id"] = id
		p["gridPos"] = map[string]int{"x": x, "y": y, "w": width, "h": height}
		panels = append(panels, p)
	}
	for _, r := range d.rows {
		add(map[string]any{"type": "row", "title": r.title, "collapsed": false}, 0, y, columns, 1)
		y++
		x, height := 0, 0
		for _, p := range r.panels {
			width := p.width
			if width == 0 {
				width = defaultSpan
			}
			if x+width > columns {
				x, y, height = 0, y+height, 0
			}
			own := graphHeight
			if p.stat {
				own = statHeight
			}
			add(p.render(), x, y, width, own)
			x, height = x+width, max(height, own)
		}
		y += height
	}
	text, err := json.MarshalIndent(map[string]any{
		"uid": d.uid, "title": d.title, "description": d.description,
		"tags": []string{"kyma-operator"}, "schemaVersion": 39, "version": 1, "editable": true,
		"timezone": "utc", "refresh": "30s", "graphTooltip": 1,
		"time":       map[string]string{"from": "now-1h", "to": "now"},
		"templating": map[string]any{"list": variables()},
		"links": []any{map[string]any{
			"type": "dashboards", "title": "Kyma operator", "tags": []string{"kyma-operator"}, "asDropdown": true, "keepTime": true,
		}},
		"annotations": map[string]any{"list": []any{}},
		"panels":      panels,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", d.uid, err)
	}
	return append(text, '\n'), nil
}

// variables: which Prometheus, and which operator where one sees several.
func variables() []any {
	return []any{
		map[string]any{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
		map[string]any{
			"name": "job", "label": "Job", "type": "query", "refresh": 2, "sort": 1,
			"datasource": source(), "definition": "label_values(kyma_operator_build_info, job)",
			"query": map[string]string{"query": "label_values(kyma_operator_build_info, job)", "refId": "job"},
		},
	}
}

func source() map[string]string {
	return map[string]string{"type": "prometheus", "uid": "${datasource}"}
}

func (p panel) render() map[string]any {
	targets := make([]any, 0, len(p.targets))
	for i, t := range p.targets {
		targets = append(targets, map[string]any{
			"datasource": source(), "expr": t.expr, "legendFormat": t.legend,
			"refId": string(rune('A' + i)), "instant": p.stat, "range": !p.stat,
		})
	}
	out := map[string]any{
		"title": p.title, "description": p.description, "datasource": source(), "targets": targets,
	}
	custom := map[string]any{"fillOpacity": 10, "showPoints": "never"}
	if p.stacked {
		custom["stacking"] = map[string]string{"mode": "normal"}
		custom["fillOpacity"] = 40
	}
	defaults := map[string]any{"unit": p.unit}
	if p.stat {
		out["type"] = "stat"
		out["options"] = map[string]any{
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}}, "textMode": "auto", "colorMode": "none",
		}
	} else {
		out["type"] = "timeseries"
		defaults["custom"], defaults["min"] = custom, 0
		out["options"] = map[string]any{
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true},
			"tooltip": map[string]string{"mode": "multi", "sort": "desc"},
		}
	}
	out["fieldConfig"] = map[string]any{"defaults": defaults, "overrides": []any{}}
	return out
}
