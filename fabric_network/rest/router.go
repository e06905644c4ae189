package rest

import (
	"regexp"
	"strings"
)

// variables are what a path says, by name.
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

// router finds the route of a path.
type router struct {
	fixed    map[string][]route
	patterns []pattern
}

// pattern is a route whose path has variables; one that ends in {name...} takes the rest of the path.
type pattern struct {
	route
	words []string
	rank  string // orders routes that fit one path: the first word in which they differ decides, a literal one beats a variable
}

func newRouter(routes []route) router {
	r := router{fixed: map[string][]route{}}
	for _, known := range routes {
		if !strings.Contains(known.path, "{") {
			r.fixed[known.path] = append(r.fixed[known.path], known)
			continue
		}
		p := pattern{route: known, words: strings.Split(known.path, "/")}
		for _, word := range p.words {
			p.rank += map[bool]string{false: "literal", true: "variable"}[isVariable(word)]
		}
		r.patterns = append(r.patterns, p)
	}
	return r
}

func isVariable(word string) bool { return strings.HasPrefix(word, "{") }

// resolve finds the route of a request, or the methods that its path does take.
func (r router) resolve(method, path string) (found route, vars variables, allowed []string) {
	for _, known := range r.fixed[path] {
		if known.method == method {
			return known, nil, nil
		}
		allowed = append(allowed, known.method)
	}
	words, best := strings.Split(path, "/"), ""
	for _, p := range r.patterns {
		v, fits := p.match(words)
		switch {
		case !fits:
		case p.method != method:
			allowed = append(allowed, p.method)
		case best == "" || p.rank < best:
			found, vars, best = p.route, v, p.rank
		}
	}
	return found, vars, allowed
}

func (p pattern) match(have []string) (found variables, fits bool) {
	found = variables{}
	for i, word := range p.words {
		if i >= len(have) {
			return nil, false
		}
		if !isVariable(word) {
			if word != have[i] {
				return nil, false
			}
			continue
		}
		name, takesRest := strings.CutSuffix(strings.Trim(word, "{}"), "...")
		value := have[i]
		if takesRest {
			value = strings.Join(have[i:], "/")
		}
		if !shapes[name].MatchString(value) {
			return nil, false
		}
		found[name] = value
		if takesRest {
			return found, true
		}
	}
	return found, len(p.words) == len(have)
}
