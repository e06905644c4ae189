package rest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"custody/chaincode/contract"
)

// object is a piece of the description; encoding/json sorts its keys, so that the same routes make the same bytes.
type object = map[string]any

// OpenAPI describes every route, from the table that serves them.
func OpenAPI() []byte {
	paths := object{}
	for _, r := range table() {
		path := strings.ReplaceAll(r.path, "...}", "}")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(r.method)] = r.describe()
	}
	described, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Custody ledger", "version": fmt.Sprint(contract.Rules),
			"description": "The one door in front of a ledger. Formats: docs/ledger.md and docs/records.md.",
		},
		"paths": paths,
		"components": object{
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
			"schemas":         object{"Problem": problemSchema(), "Outcome": outcomeSchema(), "Unknown": unknownSchema()},
		},
	}, "", " ")
	if err != nil {
		panic(err) // strings and numbers only
	}
	return described
}

func (r route) describe() object {
	responses := object{"200": r.answers, "default": answered("what went wrong", "application/problem+json", reference("Problem"))}
	if r.unsure {
		responses["202"] = answered("the outcome is not known yet: ask /transactions/{txid}, or again with the same Idempotency-Key",
			"application/json", reference("Unknown"))
	}
	o := object{"operationId": r.operation(), "summary": r.summary, "parameters": r.parameters(), "responses": responses}
	if r.access != open {
		o["security"] = []object{{"token": []string{}}}
	}
	if r.access == writes {
		o["description"] = "Arguments: " + strings.Join(argumentsOf(r.function), ", ") + "."
	}
	if r.sends != nil {
		o["requestBody"] = object{"required": true, "content": content("application/json", r.sends)}
	}
	return o
}

var separators = regexp.MustCompile(`[^a-z0-9]+`)

// operation is the contract's function, or a name made of the path.
func (r route) operation() string {
	if r.function != "" {
		return r.function
	}
	path := strings.TrimPrefix(strings.ReplaceAll(r.path, "{", "by_"), prefix)
	return strings.Trim(separators.ReplaceAllString(strings.ToLower(r.method+path), "_"), "_")
}

func argumentsOf(function string) []string {
	for _, f := range contract.Functions() {
		if f.Name == function {
			return f.Arguments
		}
	}
	return nil
}

func (r route) parameters() []object {
	found := []object{}
	for _, word := range strings.Split(r.path, "/") {
		if !isVariable(word) {
			continue
		}
		name := strings.TrimSuffix(strings.Trim(word, "{}"), "...")
		found = append(found, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string", "pattern": shapes[name].String()}})
	}
	for _, name := range r.query {
		found = append(found, object{"name": name, "in": "query", "schema": object{"type": "string"}})
	}
	if r.access == writes {
		found = append(found, object{"name": "Idempotency-Key", "in": "header", "schema": object{"type": "string", "maxLength": idempotencyKeyLimit}})
	}
	return found
}

var (
	text   = object{"type": "string"}
	number = object{"type": "integer"}
	binary = object{"type": "string", "contentEncoding": "base64"}
)

// form is an object of which every field is there.
func form(properties object) object {
	required := make([]string, 0, len(properties))
	for name := range properties {
		required = append(required, name)
	}
	slices.Sort(required)
	return object{"type": "object", "properties": properties, "required": required}
}

func list(of object) object { return object{"type": "array", "items": of} }

func found(properties object) object { return answered("found", "application/json", form(properties)) }

func reference(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }

func content(kind string, schema object) object { return object{kind: object{"schema": schema}} }

func answered(description, kind string, schema object) object {
	return object{"description": description, "content": content(kind, schema)}
}

func problemSchema() object {
	known := make([]string, 0, len(codes))
	for code := range codes {
		known = append(known, string(code))
	}
	slices.Sort(known)
	schema := form(object{"type": text, "title": text, "status": number, "detail": text, "code": object{"type": "string", "enum": known}})
	schema["properties"].(object)["txid"] = text
	return schema
}

func outcomeSchema() object {
	return form(object{"txid": text, "block": number, "code": object{"const": "VALID"}, "result": object{}})
}

func unknownSchema() object {
	return form(object{"txid": text, "code": object{"const": string(Unknown)}})
}
