// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/openapi.hpp"

#include "controlplane/api/route.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <string_view>

namespace penstock {

namespace json = boost::json;

namespace {

/// What routes name in gives_schema and takes_schema, and Problem. Members may be added at any time, so
/// that no schema is closed but that of a body we take.
constexpr std::string_view schemas = R"({
"Problem":{"description":"RFC 9457","type":"object","required":["type","title","status","detail"],"properties":{
 "type":{"type":"string","pattern":"^urn:penstock:problem:"},"title":{"type":"string"},"status":{"type":"integer"},
 "detail":{"type":"string"},"remedy":{"type":"string"},"diagnostics":{"type":"array","items":{"type":"object"}}}},
"Actor":{"type":"object","required":["user","uid","pid","from","role"],"properties":{
 "user":{"type":["string","null"]},"uid":{"type":["integer","null"]},"pid":{"type":["integer","null"]},
 "from":{"type":"string"},"role":{"enum":["none","viewer","operator","admin"]}}},
"Change":{"type":"object","required":["result","generation","live_generation","changed","detail","notes"],"properties":{
 "result":{"enum":["live","pending"]},"generation":{"type":"integer"},"live_generation":{"type":["integer","null"]},
 "changed":{"type":"boolean"},"detail":{"type":"string"},"notes":{"type":"array","items":{"type":"string"}}}},
"Weight":{"type":"object","required":["weight"],"additionalProperties":false,"properties":{
 "weight":{"type":"integer","minimum":0,"maximum":65535}}},
"Overrides":{"type":"object","required":["overrides"],"properties":{"overrides":{"type":"array","items":{"type":"object",
 "required":["service","backend","vip","address","port","admin","weight","since","actor"],"properties":{
 "service":{"type":["string","null"]},"backend":{"type":["string","null"]},"vip":{"type":"string"},
 "address":{"type":"string"},"port":{"type":"integer"},"admin":{"enum":["ready","drain","disabled",null]},
 "weight":{"type":["integer","null"]},"since":{"type":["string","null"]},"actor":{"$ref":"#/components/schemas/Actor"}}}}}},
"History":{"type":"object","required":["confirmation","history","next"],"properties":{
 "confirmation":{"type":["object","null"]},"next":{"type":["integer","null"]},
 "history":{"type":"array","items":{"type":"object","required":["number","current","time","generation","source","actor",
 "name","services","backends","bytes"],"properties":{"number":{"type":"integer"},"current":{"type":"boolean"},
 "time":{"type":"string"},"generation":{"type":"integer"},
 "source":{"enum":["start","sighup","api","rollback","not-confirmed"]},"actor":{"$ref":"#/components/schemas/Actor"},
 "name":{"type":"string"},"services":{"type":"integer"},"backends":{"type":"integer"},"bytes":{"type":"integer"}}}}}},
"Diff":{"type":"object","required":["changed","sections","services","slots","slots_moved","moved_share","flows",
 "flows_drained","flows_cut"],"properties":{"changed":{"type":"boolean"},
 "sections":{"type":"array","items":{"type":"string"}},"services":{"type":"array","items":{"type":"object"}},
 "slots":{"type":"integer"},"slots_moved":{"type":["integer","null"]},"moved_share":{"type":["number","null"]},
 "flows":{"type":["integer","null"]},"flows_drained":{"type":["integer","null"]},"flows_cut":{"type":["integer","null"]}}}
})";

json::object refer_to(std::string_view schema) {
    if (schema.empty()) {
        return {{"type", "object"}};
    }
    return {{"$ref", fmt::format("#/components/schemas/{}", schema)}};
}

/// A body of this type; the schema counts for JSON alone.
json::object make_content(std::string_view type, std::string_view schema) {
    json::object media;
    if (type == "application/json") {
        media["schema"] = refer_to(schema);
    } else {
        media["schema"] = json::object{{"type", "string"}};
    }
    return {{type, std::move(media)}};
}

json::object make_response(std::string_view text, std::string_view type, std::string_view schema) {
    return {{"description", text}, {"content", make_content(type, schema)}};
}

json::array make_parameters(const Route& route) {
    json::array parameters;
    std::string_view rest = route.path;
    for (std::size_t open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
        const std::size_t close = rest.find('}');
        parameters.push_back(json::object{
            {"name", rest.substr(open + 1, close - open - 1)},
            {"in", "path"},
            {"required", true},
            {"schema", json::object{{"type", "string"}}},
        });
        rest.remove_prefix(close + 1);
    }
    for (const QueryParameter& parameter : route.parameters) {
        const std::string_view type = parameter.kind == ParameterKind::text     ? "string"
                                      : parameter.kind == ParameterKind::number ? "integer"
                                                                                : "boolean";
        parameters.push_back(json::object{
            {"name", parameter.name},
            {"in", "query"},
            {"required", false},
            {"description", parameter.text},
            {"schema", json::object{{"type", type}}},
        });
    }
    if (route.is_change) {
        parameters.push_back(json::object{
            {"name", "If-Match"},
            {"in", "header"},
            {"required", false},
            {"description", "The ETag of the state that the change is for; another one is 412."},
            {"schema", json::object{{"type", "string"}}},
        });
    }
    return parameters;
}

json::object make_refusal(std::string_view text) {
    return {
        {"description", text},
        {"content",
         json::object{{"application/problem+json", json::object{{"schema", refer_to("Problem")}}}}},
    };
}

/// Of the network; on the Unix socket the kernel says who asks.
json::object make_security_schemes() {
    return {
        {"token",
         json::object{
             {"type", "http"},
             {"scheme", "bearer"},
             {"description", "A token of penstock token create, over TLS."},
         }},
        {"certificate",
         json::object{
             {"type", "mutualTLS"},
             {"description",
              "A client's certificate that [[api.client]] of the configuration names."},
         }},
    };
}

json::object make_operation(const Route& route) {
    json::object responses;
    responses["200"] = make_response(
        route.is_change ? "The change is live." : "Here it is.", route.gives, route.gives_schema
    );
    if (route.is_change) {
        responses["202"] = make_response(
            "The change is accepted, and not live yet.", route.gives, route.gives_schema
        );
    }
    responses["default"] = make_refusal("It is refused, or cannot be had.");
    responses["401"] = make_refusal("Over the network: neither a good token nor a certificate.");
    responses["403"] = make_refusal("Who asks has not the role for it.");
    responses["429"] = make_refusal("Over the network: too many requests; Retry-After says when.");
    json::object operation{
        {"operationId", route.operation},
        {"summary", route.summary},
        {"x-penstock-role", to_string(route.role)},
    };
    if (json::array parameters = make_parameters(route); !parameters.empty()) {
        operation["parameters"] = std::move(parameters);
    }
    if (!route.takes.empty()) {
        operation["requestBody"] = json::object{
            {"required", true}, {"content", make_content(route.takes, route.takes_schema)}
        };
    }
    operation["responses"] = std::move(responses);
    return operation;
}

std::string lower_case(std::string_view method) {
    std::string lower(method);
    for (char& letter : lower) {
        letter = static_cast<char>(letter - 'A' + 'a');
    }
    return lower;
}

void print(const json::value& value, const std::string& indent, std::string& text) {
    const std::string deeper = indent + "  ";
    bool is_first = true;
    const auto begin_line = [&] {
        text += is_first ? "\n" : ",\n";
        text += deeper;
        is_first = false;
    };
    if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
        text += "{";
        for (const auto& member : *object) {
            begin_line();
            text += json::serialize(json::value(member.key())) + ": ";
            print(member.value(), deeper, text);
        }
        text += "\n" + indent + "}";
    } else if (const auto* array = value.if_array();
               array != nullptr && !array->empty() && array->front().is_object()) {
        text += "[";
        for (const json::value& item : *array) {
            begin_line();
            print(item, deeper, text);
        }
        text += "\n" + indent + "]";
    } else {
        text += json::serialize(value);
    }
}

} // namespace

json::object make_openapi_document() {
    json::object paths;
    for (const Route& route : routes()) {
        json::value& path = paths[route.path];
        if (path.is_null()) {
            path.emplace_object();
        }
        path.get_object()[lower_case(route.method)] = make_operation(route);
    }
    return {
        {"openapi", "3.1.0"},
        {"info",
         json::object{
             {"title", "Penstock control plane"},
             {"version", "1"},
             {"description", "docs/reference/api.md says what the members mean."},
             {"license", json::object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
         }},
        // One of them, or none: an empty requirement is the Unix socket.
        {"security",
         json::array{
             json::object{{"token", json::array{}}},
             json::object{{"certificate", json::array{}}},
             json::object{},
         }},
        {"paths", std::move(paths)},
        {"components",
         json::object{
             {"schemas", json::parse(schemas)}, {"securitySchemes", make_security_schemes()}
         }},
    };
}

std::string print_openapi_document() {
    std::string text;
    print(make_openapi_document(), "", text);
    return text + "\n";
}

} // namespace penstock
