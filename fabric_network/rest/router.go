package rest

import (
	"net/http"
	"regexp"
	"strings"
)

// variables are what a path and a query say, by name.
type variables map[string]string

// shapes are what the variables of a path can look like. A path whose variable looks different is another path: so a
// model may be called "provenance".
var shapes = map[string]*regexp.Regexp{
	"model":      regexp.MustCompile(`^[a-z0-9._-]{1,64}$`),
	"name":       regexp.MustCompile(`^[a-z0-9._-]{1,64}$`),
	"seq":        regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`),
	"number":     regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`),
	"n":          regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`),
	"id":         regexp.MustCompile(`^[0-9a-f]{64}$`),
	"version_id": regexp.MustCompile(`^[0-9a-f]{64}$`),
	"txid":       regexp.MustCompile(`^[0-9a-f]{64}$`),
	"key":        regexp.MustCompile(`^[A-Za-z0-9._/-]{1,512}$`),
}

// match reads the variables of a path; ok is false when it is another route's. Where two fit, the earlier word decides:
// a literal one beats a variable.
func (r route) match(path string) (found variables, ok bool) {
	want, have := strings.Split(r.path, "/"), strings.Split(path, "/")
	found = variables{}
	for i, part := range want {
		name, isVariable := strings.CutPrefix(part, "{")
		name = strings.TrimSuffix(name, "}")
		if rest, isRest := strings.CutSuffix(name, "..."); isRest && i < len(have) {
			found[rest] = strings.Join(have[i:], "/")
			return found, shapes[rest].MatchString(found[rest])
		}
		switch {
		case i >= len(have):
			return nil, false
		case !isVariable && part != have[i]:
			return nil, false
		case isVariable && !shapes[name].MatchString(have[i]):
			return nil, false
		case isVariable:
			found[name] = have[i]
		}
	}
	return found, len(want) == len(have)
}

// literal is for comparing two routes that fit one path: x marks the words that are variables.
func (r route) literal() string {
	parts := strings.Split(r.path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "x"
		} else {
			parts[i] = "l"
		}
	}
	return strings.Join(parts, "")
}

// resolve finds the route of a request, or the methods that its path does take.
func resolve(routes []route, r *http.Request) (found route, vars variables, allowed []string) {
	for _, candidate := range routes {
		v, ok := candidate.match(r.URL.Path)
		switch {
		case !ok:
		case candidate.method != r.Method:
			allowed = append(allowed, candidate.method)
		case found.path == "" || candidate.literal() < found.literal():
			found, vars = candidate, v
		}
	}
	return found, vars, allowed
}
